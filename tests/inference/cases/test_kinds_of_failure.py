"""Tests of medseg.inference.cases.kinds_of_failure."""

from contextlib import closing

import pytest

from medseg.inference.cases.kinds_of_failure import KindsOfFailure, _find_kind, describe_failure


def test_cases_that_differ_in_numbers_alone_are_of_one_kind(caplog):
    with closing(KindsOfFailure(9)) as kinds:
        for case, size in (("a", 3), ("b", 4)):
            kinds.log(case, RuntimeError(f"it has {size} slices"))
        kinds.log("c", RuntimeError("it is empty"))
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "case a failed: RuntimeError: it has 3 slices",
        "case c failed: RuntimeError: it is empty",
        "1 more case failed as case a did: b",
    ]


def test_an_error_that_medseg_did_not_raise_is_told_with_its_type():
    assert describe_failure(KeyError("x")) == ("KeyError: 'x'", "KeyError: 'x'")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("it is 0.25 alike, at most -3", "it is 1 alike, at most 4.5", True),
        ("it is like none; at most 0.1", "it is like none; the border is 3", True),
        ("c002.nii.gz is cut", "c005.nii.gz is cut", False),
        ("the file 2.nii.gz is cut", "the file 5.nii.gz is cut", False),
        ("too bright", "too dark", False),
    ],
)
def test_reasons_that_differ_in_numbers_alone_are_of_one_kind_and_names_are_no_numbers(
    one, other, is_same
):
    assert (_find_kind(one) == _find_kind(other)) is is_same
