"""Tests of medseg.bundles.crossval.pool: tables of folds, and intervals."""

import json

from medseg.bundles.crossval.folds import list_folds
from medseg.bundles.crossval.pool import (
    read_tables,
    summarise,
    write_summary,
    write_table,
)


def rows_of(*values, label="x", score="dice"):
    return [
        {"case": str(n), "class": label, "fold": "0", score: str(value)}
        for n, value in enumerate(values)
    ]


def test_each_row_has_its_fold(tmp_path):
    folds = list_folds(tmp_path, 2)
    for fold in folds:
        write_table(fold.scores / "metrics.csv", [{"case": "a", "dice": fold.number}])
    assert read_tables(folds, "metrics.csv") == [
        {"case": "a", "dice": "0", "fold": "0"},
        {"case": "a", "dice": "1", "fold": "1"},
    ]


def test_what_is_no_number_or_infinite_is_left_out_and_counted():
    found = summarise(rows_of(0.5, "", "nan", "inf", 1.0))["x"]["dice"]
    assert (found["n"], found["left_out"], found["mean"], found["median"]) == (2, 3, 0.75, 0.75)
    assert found["low"] <= 0.75 <= found["high"]


def test_a_score_that_no_case_has_is_none():
    assert summarise(rows_of("", "nan"))["x"]["dice"] == {"n": 0, "left_out": 2, "mean": None}


def test_a_summary_is_json(tmp_path):
    write_summary(tmp_path / "summary.json", summarise(rows_of(1, 1)))
    assert json.loads((tmp_path / "summary.json").read_text())["x"]["dice"]["mean"] == 1


def test_a_score_that_the_first_case_lacks_is_summarised():
    rows = [{"case": "a", "class": "x"}, {"case": "b", "class": "x", "dice_to_readers": "0.5"}]
    found = summarise(rows)["x"]["dice_to_readers"]
    assert (found["n"], found["left_out"], found["mean"]) == (1, 1, 0.5)
