"""Tests of medseg.datasets.own.readers.agreement."""

import math

import numpy as np
import pytest

from medseg.datasets.own.readers.agreement import (
    Agreement,
    average,
    compare_readers,
    write_agreement,
)

LABELS = {
    "b": np.array([1, 1, 1, 0]),
    "a": np.array([1, 0, 0, 2]),
    "c": np.array([0, 0, 0, 0]),
}


def test_each_pair_has_the_dice_of_each_class():
    found = compare_readers("x", LABELS, {"one": [1], "two": [2]})
    dice = {(row.label, row.reader_a, row.reader_b): row.dice for row in found}
    assert dice == {
        ("one", "a", "b"): pytest.approx(2 * 1 / (1 + 3)),
        ("one", "a", "c"): 0,
        ("one", "b", "c"): 0,
        ("two", "a", "b"): 0,
        ("two", "a", "c"): 0,
        ("two", "b", "c"): pytest.approx(math.nan, nan_ok=True),  # neither marked it
    }


def test_a_pair_without_a_score_is_in_no_mean_and_has_an_empty_cell(tmp_path):
    rows = [Agreement("x", "one", "a", "b", dice) for dice in (0.5, math.nan, 1 / 3)]
    assert average(rows) == {("one", "a", "b"): (pytest.approx(5 / 12), 2)}
    write_agreement(tmp_path / "readers.csv", rows)
    assert (tmp_path / "readers.csv").read_text().splitlines() == [
        "case,class,reader_a,reader_b,dice",
        "x,one,a,b,0.5",
        "x,one,a,b,",
        "x,one,a,b,0.333333",
    ]


def test_one_reader_has_nobody_to_be_compared_with():
    assert compare_readers("x", {"a": LABELS["a"]}, {"one": [1]}) == []


def test_a_name_that_a_spreadsheet_takes_for_a_formula_is_a_text(tmp_path):
    write_agreement(tmp_path / "readers.csv", [Agreement("=1+1", "one", "a", "b", 0.5)])
    assert (tmp_path / "readers.csv").read_text().splitlines()[1] == "'=1+1,one,a,b,0.5"
