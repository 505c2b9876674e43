"""Tests of medseg.evaluation.score_cases: what an evaluation leaves and says last."""

import logging
import re

import pytest
from evaluation.scored import block, item, make_evaluator
from monai.data import Dataset

from medseg.evaluation import Gallery, score_cases
from medseg.inference import CasesFailedError
from medseg.metrics import CaseMetrics

PICTURES = {"distribution_1_liver_1.png", "distribution_2_b.png", "worst_cases.png"}


def evaluate(folder, cases, **options):
    scores = CaseMetrics(folder, classes=["liver 1", "b"], **options)
    gallery = Gallery(scores, count=2, title="liver, test")
    evaluator = make_evaluator(cases, [scores, gallery])
    return score_cases(evaluator, Dataset(cases), scores=scores, gallery=gallery)


def cases():
    return [item(name, block(5 + shift), block(5)) for name, shift in (("x", 1), ("y", 4))]


def test_pictures_lie_beside_the_tables_and_the_console_ends_in_a_table(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    assert evaluate(tmp_path, cases()) == 2
    assert {path.name for path in tmp_path.glob("*.png")} == PICTURES
    said = capsys.readouterr().err.splitlines()
    assert said[-3].startswith("liver 1")
    assert said[-2].startswith("b ")
    assert "of HD95 the median" in said[-1]


def test_a_case_is_one_line_with_the_dice_of_each_class(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    evaluate(tmp_path, cases())
    (x,), (y,) = ([m for m in caplog.messages if f"case {name}" in m] for name in "xy")
    assert re.fullmatch(r"case x: Dice liver 1 0\.\d{3}, b absent, [\d.]+ s", x)
    assert y.startswith("case y: Dice liver 1 0.")


def test_where_warnings_alone_are_logged_there_is_no_table(tmp_path, capsys, caplog):
    caplog.set_level(logging.WARNING)
    evaluate(tmp_path, cases())
    assert capsys.readouterr().err == ""
    assert (tmp_path / "metrics.csv").is_file()


def test_the_pictures_of_the_others_are_there_where_a_case_fails(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    broken = item("z", block(5), block(5, shape=(30, 30, 6)))
    with pytest.raises(CasesFailedError, match=r"1 of 3 cases failed \(z\)"):
        evaluate(tmp_path, [*cases(), broken])
    assert {path.name for path in tmp_path.glob("*.png")} == PICTURES
    assert "liver 1" in capsys.readouterr().err


def test_pictures_of_an_earlier_evaluation_are_kept_under_dated_names(tmp_path):
    (tmp_path / "distribution_7_spleen.png").write_bytes(b"earlier")
    (tmp_path / "worst_cases.png").write_bytes(b"earlier")
    (tmp_path / "distribution_of_mine.png").write_bytes(b"own")
    evaluate(tmp_path, cases())
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names > PICTURES | {"distribution_of_mine.png"}
    assert "distribution_7_spleen.png" not in names
    kept = [path for path in tmp_path.glob("*.png") if path.read_bytes() == b"earlier"]
    assert len(kept) == 2


def test_two_evaluations_do_not_write_to_one_folder(tmp_path, monkeypatch):
    monkeypatch.setitem(score_cases.__globals__, "hold", lambda lock: False)
    with pytest.raises(FileExistsError, match=r"another process is writing its scores to .*wait"):
        evaluate(tmp_path, cases())
    assert not list(tmp_path.glob("*.csv"))


def test_where_every_case_fails_nothing_is_drawn(tmp_path):
    broken = item("z", block(5), block(5, shape=(30, 30, 6)))
    with pytest.raises(CasesFailedError):
        evaluate(tmp_path, [broken])
    assert not list(tmp_path.glob("*.png"))
