"""Tests of medseg.planning.describe_split: the sets are counted, and small ones are warned of."""

from __future__ import annotations

import pytest

from medseg.planning.describe_split import describe_split


def make_datalist(*, training, folds, testing):
    cases = [{"case": str(k), "fold": k % folds} for k in range(training)]
    return {"training": cases, "testing": [{}] * testing}


def test_the_sets_are_counted_without_a_warning_where_they_are_large():
    (line,) = describe_split(make_datalist(training=20, folds=5, testing=5))
    assert line.startswith("25 cases: 5 for testing, and 20 in 5 folds of 4,")


def test_small_folds_and_a_small_test_set_are_warned_of():
    line, fold, test = describe_split(make_datalist(training=8, folds=5, testing=2))
    assert line.startswith("10 cases: 2 for testing, and 8 in 5 folds of 1 to 2,")
    assert "only 1 case:" in fold
    assert "only 2 cases for testing" in test


@pytest.mark.parametrize(
    ("training", "testing", "words"),
    [(15, 0, "no case is for testing"), (0, 4, "all are for testing")],
)
def test_an_empty_set_is_said(training, testing, words):
    lines = describe_split(make_datalist(training=training, folds=5, testing=testing))
    assert words in lines[-1]


def test_a_fold_without_a_label_in_any_of_its_cases_is_named():
    cases = [{"fold": k % 2, "case": f"c{k}"} for k in range(8)]
    split = {"training": cases, "testing": [{}] * 5}
    assert len(describe_split(split, empty=["c1", "c3", "c5"])) == 1
    (told,) = describe_split(split, empty=["c1", "c3", "c5", "c7", "c0"])[1:]
    assert told.startswith("fold 1 has no label in any case (c1, c3, c5, c7), and no training")
    assert "pass another --seed" in told
