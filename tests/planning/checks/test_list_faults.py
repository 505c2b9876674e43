"""Tests of medseg.planning.checks.list_faults: many faults of one kind are one line."""

import pytest

from medseg.planning.checks.list_faults import list_faults

CASES = [f"c{number}" for number in range(12)]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: f"case c{n}: its label holds {n}, 7, and dataset.json declares 0, 1: correct it",
        lambda n: f"case c{n}: its label holds {'8, ' * n}7, and dataset.json declares 0, 1: no",
        lambda n: f"case c{n}: it has {n} value{'s' * (n != 1)} beside 0 (4, 5{', 6' * n}): no",
        lambda n: f"case c{n}: /data/c{n}_t1.nii and /data/c{n}_t2.nii differ by {n / 8} mm: no",
        lambda n: f"case c{n}: image and label differ: shape (12, {n}, 10) against (4, 5, 6): no",
    ],
)
def test_a_fault_that_many_cases_share_is_one_line_with_all_its_cases(make):
    (line,) = list_faults([make(n) for n in range(12)], CASES)
    others = "c1, c2, c3, c4, c5 and 6 more"
    assert line == f"{make(0)}; likewise in 11 other cases: {others}"


def test_few_faults_of_a_kind_and_other_kinds_keep_their_lines():
    few = [f"case c{n} has no image t1: add it" for n in range(3)]
    other = "case c3 has no image t2: add it"
    assert list_faults([*few, other], CASES) == [*few, other]


def test_files_without_a_case_are_named_by_their_paths():
    (line,) = list_faults([f"label x/{name}_seg.nii.gz has no image" for name in "abcd"], CASES)
    assert line == (
        "label x/a_seg.nii.gz has no image; likewise in 3 other files: x/b_seg.nii.gz, "
        "x/c_seg.nii.gz, x/d_seg.nii.gz"
    )


def test_faults_of_one_table_are_named_by_their_lines():
    faults = [f"line {n} of cases.csv has more cells than the 2 columns" for n in range(2, 8)]
    (line,) = list_faults(faults, CASES)
    assert line == f"{faults[0]}; likewise in 5 other lines: 3, 4, 5, 6, 7"


def test_names_of_cases_that_begin_alike_are_told_apart():
    names = ["a", "a b", "a b c", "d"]
    (line,) = list_faults([f"case {name}: it is odd: mend it" for name in names], names)
    assert line.endswith("other cases: a b, a b c, d")


def test_a_case_that_is_not_known_is_the_first_word():
    (line,) = list_faults([f"case {name} (x/{name}): it is odd: mend it" for name in "abcd"], [])
    assert line == "case a (x/a): it is odd: mend it; likewise in 3 other cases: b, c, d"
