"""Tests of medseg.planning.read_cases."""

from pathlib import Path

import numpy as np
import pytest
from planning.test_plan_folder import write_case

from medseg.datasets.own.pair_files import Pair, pair_files
from medseg.planning.read_cases import read_cases


@pytest.fixture
def pairs(tmp_path):
    for number in range(9):
        write_case(tmp_path, f"p{number}")
    mirrored = np.zeros((12, 14, 10), np.uint8)
    mirrored[3:8, 4:9, 5:10] = 1
    write_case(tmp_path, "q", label=mirrored)
    return pair_files(tmp_path)[0]


def test_cases_without_a_fault_are_measured(pairs, caplog):
    assert [one.case for one in read_cases(pairs, [], classes={})] == [p.case for p in pairs]
    assert not caplog.text


def test_what_is_odd_about_cases_is_told_with_the_faults_of_others(pairs, tmp_path, caplog):
    write_case(tmp_path, "r", label=np.zeros((12, 14, 9), np.uint8))
    write_case(tmp_path, "s", label=np.zeros((12, 14, 10), np.uint8))
    pairs = pair_files(tmp_path)[0]
    with pytest.raises(ValueError, match=r"^1 fault in the data, listed above, with 2 lines to l"):
        read_cases(pairs, [], classes={})
    first, *others = caplog.messages
    assert first.startswith("case r: image and label lie on different grids")
    assert "case s: its label holds background alone: correct it if it is unfinished" in others
    (odd,) = [line for line in others if line.startswith("case q")]
    assert "its labels fit the others better with head and feet exchanged: look at it" in odd
    assert len(others) == 2, others


def test_the_number_of_faults_is_that_of_the_lines(pairs, tmp_path, caplog):
    gone = [Pair(name, (None,), ("",), Path("x")) for name in "abcde"]
    with pytest.raises(ValueError, match=r"^2 faults in the data, listed above, with 1 line "):
        read_cases([*pairs, *gone], ["case z has no label: add it"], classes={})
    assert len(caplog.messages) == 3, caplog.messages
    assert "likewise in 4 other cases: b, c, d, e" in caplog.messages[1]
