"""Tests of medseg.transforms.refused_cases: all cases that cannot be used are named at once."""

import errno

import pytest

from medseg.transforms.refused_cases import (
    ReadOrExplain,
    Refusal,
    RefusedCasesError,
    list_refusals,
    read_all,
    read_or_explain,
)

CASES = [{"case": name} for name in "abcd"]


def read(case):
    if case["case"] in "bd":
        raise ValueError(f"no\nfile {case['case']}.nii")
    return case["case"].upper()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_all_that_is_refused_is_named_in_order_in_one_line(threads):
    with pytest.raises(RefusedCasesError) as caught:
        read_all(read, CASES, threads=threads)
    assert str(caught.value) == (
        "2 of 4 cases refused, correct them or leave them out: case b: no file b.nii; "
        "case d: no file d.nii"
    )
    assert (len(caught.value.reasons), caught.value.count) == (2, 4)


def test_what_is_read_comes_in_order():
    assert read_all(read, [CASES[0], CASES[2]], threads=2) == ["A", "C"]
    assert read_all(read, [], threads=2) == []


def test_a_refusal_stands_in_the_place_of_a_case():
    found = [ReadOrExplain(read)(case) for case in CASES]
    assert found[0] == "A"
    assert list_refusals(found) == ["case b: no file b.nii", "case d: no file d.nii"]
    assert isinstance(found[1], Refusal)


def test_a_full_disk_is_no_fault_of_a_case():
    def write(case):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        read_or_explain(write, CASES[0])
