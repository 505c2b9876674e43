"""Tests of medseg.ingest.dicom.consistency.kinds: which values are one, and how several are
said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from medseg.ingest.dicom.consistency.kinds import column_of, list_differences, number_of
from medseg.ingest.dicom.consistency.traits import Trait
from medseg.ingest.dicom.rules.provenance import Origin

ECHO = Trait("echo_time_ms", "echo times", "ms", tolerance=0.02)


@pytest.mark.parametrize(
    ("text", "number"),
    [("120", 120), ("120,0", 120), ("-1,5e2", -150), ("1,2,3", None), ("nan", None), ("a", None)],
)
def test_a_number_has_a_decimal_point_or_comma(text, number):
    assert number_of(text) == number


def test_values_within_the_tolerance_are_one_and_text_is_itself():
    assert column_of(["9.2", "4.6", "", "4,65", "x"], ECHO) == [9.2, 4.6, "", 4.6, "x"]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([], ""),
        (["4.6"], ""),
        (["4.6", "4.65"], ""),
        (["9.2", "4.6"], "2 echo times (4.6 ms, 9.2 ms)"),
        (["4.6", ""], "2 echo times (4.6 ms, none)"),
        (list("12345"), "5 echo times (1 ms, 2 ms, ..., 5 ms)"),
    ],
)
def test_differences_are_counted_and_listed_by_size(times, said):
    slices = [SimpleNamespace(origin=Origin(echo_time_ms=time)) for time in times]
    assert list_differences(slices, [ECHO]) == said


def test_what_is_not_stated_differs_from_nothing_where_absence_is_no_value():
    slices = [SimpleNamespace(origin=Origin(echo_time_ms=time)) for time in ("4.6", "")]
    assert list_differences(slices, [ECHO], is_absence_one=False) == ""
