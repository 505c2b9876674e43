"""Tests of medseg.evaluation.reader_scores."""

import csv
import json
import math
from dataclasses import fields

import pytest
import torch
from evaluation.scored import block, item, make_evaluator

from medseg.datasets.own.readers import agreement, combine
from medseg.evaluation import ReaderScores, reader_scores
from medseg.metrics import CaseMetrics


def evaluate(folder, cases, readers, **options):
    """Evaluate cases whose readers are given: case -> reader -> label."""
    scores = CaseMetrics(folder, classes=options.pop("classes", ["liver"]), **options)

    def load(case):
        drawn = readers.get(case["case"], {})
        return {name: torch.as_tensor(label)[None] for name, label in drawn.items()}

    compared = ReaderScores(scores, load=load, output_dir=folder)
    make_evaluator(cases, [scores, compared]).run()
    return compared


def read(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_model_and_each_reader_are_compared_with_each_other(tmp_path):
    readers = {"x": {"b": block(7), "a": block(5)}, "y": {"a": block(6)}}
    found = evaluate(tmp_path, [item(n, block(6), block(5)) for n in "xyz"], readers)
    rows = [tuple(row.values()) for row in read(tmp_path, "readers.csv")]
    assert rows == [
        ("x", "liver", "model", "a", "0.9"),
        ("x", "liver", "model", "b", "0.9"),
        ("x", "liver", "a", "b", "0.8"),
        ("y", "liver", "model", "a", "1.0"),
    ]
    assert found.describe() == [
        "liver: model against reader: mean Dice 0.950 in 2 cases; reader against reader: mean Dice "
        "0.800 in 1 case (model there 0.900)"
    ]


def test_the_means_of_a_case_are_among_its_scores_and_in_the_summary(tmp_path):
    readers = {"x": {"b": block(7), "a": block(5)}, "y": {"a": block(6)}}
    evaluate(tmp_path, [item(n, block(6), block(5)) for n in "xyz"], readers)
    rows = read(tmp_path, "metrics.csv")
    assert [(r["dice_to_readers"], r["dice_between_readers"]) for r in rows] == [
        ("0.9", "0.8"),
        ("1", "nan"),
        ("", ""),
    ]
    summary = json.loads((tmp_path / "metrics_summary.json").read_text())["classes"]["liver"]
    assert summary["dice_to_readers"]["mean"] == pytest.approx(0.95)
    assert (summary["dice_between_readers"]["n"], summary["dice"]["n"]) == (1, 3)


def test_a_pair_that_found_nothing_has_no_score_and_one_that_missed_has_0(tmp_path):
    nothing = 0 * block(5)
    readers = {"x": {"a": nothing, "b": nothing, "c": block(5)}}
    evaluate(tmp_path, [item("x", nothing, nothing)], readers)
    dice = [row["dice"] for row in read(tmp_path, "readers.csv")]
    assert dice == ["", "", "0.0", "", "0.0", "0.0"]
    assert read(tmp_path, "metrics.csv")[0]["dice_to_readers"] == "0"


def test_regions_and_ignored_voxels_count_as_in_all_scores(tmp_path):
    drawn = block(5)
    drawn[5:15, 5:15, 1] = 2
    label = drawn.copy()
    label[:8] = 255
    options = {"classes": ["liver", "tumour"], "members": [[1, 2], [2]], "ignore_label": 255}
    other = drawn.copy()
    other[:8] = 0  # differs where it does not count
    evaluate(tmp_path, [item("x", drawn, label)], {"x": {"a": other}}, **options)
    rows = read(tmp_path, "readers.csv")
    assert [(row["class"], row["dice"]) for row in rows] == [("liver", "1.0"), ("tumour", "1.0")]


def test_cases_without_readers_leave_no_table_and_no_line(tmp_path):
    found = evaluate(tmp_path, [item("x", block(6), block(5))], {})
    assert found.describe() == []
    assert not (tmp_path / "readers.csv").exists()
    assert "dice_to_readers" not in read(tmp_path, "metrics.csv")[0]


def test_a_table_of_an_earlier_run_is_kept_under_a_dated_name(tmp_path):
    (tmp_path / "readers.csv").write_text("earlier")
    evaluate(tmp_path, [item("x", block(6), block(5))], {"x": {"a": block(6)}})
    tables = [path.read_text() for path in tmp_path.glob("readers*.csv")]
    assert len(tables) == 2
    assert "earlier" in tables


def test_a_reader_of_another_size_is_refused(tmp_path):
    readers = {"x": {"a": block(5, shape=(40, 40, 7))}}
    with pytest.raises(
        ValueError, match=r"reader a of case x has the shape .*give both on one grid"
    ):
        evaluate(tmp_path, [item("x", block(6), block(5))], readers)


def test_a_case_whose_readers_all_marked_nothing_is_in_no_mean(tmp_path):
    nothing = 0 * block(5)
    found = evaluate(tmp_path, [item("x", nothing, nothing)], {"x": {"a": nothing, "b": nothing}})
    assert found.describe() == []
    assert math.isnan(found.scores.rows[0]["dice_to_readers"])


def test_the_network_and_the_table_are_called_as_in_the_table_of_a_new_bundle():
    assert (reader_scores.MODEL, reader_scores.FILE) == (combine.MODEL, agreement.FILE)
    named = ["class" if one.name == "label" else one.name for one in fields(agreement.Agreement)]
    assert list(reader_scores.COLUMNS) == named
