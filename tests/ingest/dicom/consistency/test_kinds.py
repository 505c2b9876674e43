"""Tests of medseg.ingest.dicom.consistency.kinds: which values are one, and how several are
said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom.uid import MRImageStorage

from medseg.ingest import Reason, Verdict, find_series
from medseg.ingest.dicom.consistency.kinds import list_differences, parse_number, read_column
from medseg.ingest.dicom.consistency.traits import Trait
from medseg.ingest.dicom.header.origin import Origin

ECHO = Trait("echo_time_ms", "echo times", "ms", tolerance=0.02)


@pytest.mark.parametrize(
    ("text", "number"),
    [("120", 120), ("120,0", 120), ("-1,5e2", -150), ("1,2,3", None), ("nan", None), ("a", None)],
)
def test_a_number_has_a_decimal_point_or_comma(text, number):
    assert parse_number(text) == number


def test_values_within_the_tolerance_are_one_and_text_is_itself():
    assert read_column(["9.2", "4.6", "", "4,65", "x"], ECHO) == [9.2, 4.6, "", 4.6, "x"]


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


def series_with(folder, keyword, values, *, modality="CT"):
    """Six slices whose element is written byte by byte: pydicom takes no decimal comma."""
    slices = make_series(ramp((6, 6, 4)), uid="1.2.3")
    for s in slices:
        if modality == "MR":
            s.SOPClassUID, s.Modality = MRImageStorage, "MR"
        setattr(s, keyword, "1.5")
    element = slices[0][keyword]
    head = element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little")
    head += element.VR.encode()
    for path, value in zip(write_series(folder, slices), values, strict=True):
        text = value.encode() + b" " * (len(value) % 2)
        before = head + (4).to_bytes(2, "little") + b"1.5 "
        content = path.read_bytes()
        assert content.count(before) == 1
        after = head + len(text).to_bytes(2, "little") + text
        path.write_bytes(content.replace(before, after))
    (series,) = find_series(folder)
    return series


@pytest.mark.parametrize(
    ("modality", "keyword", "tag", "point", "comma"),
    [
        ("CT", "KVP", "(0018,0060)", "120.0", "120,0"),
        ("CT", "KVP", "(0018,0060)", "120", "120,0"),
        ("MR", "EchoTime", "(0018,0081)", "4.65", "4,65"),
        ("MR", "FlipAngle", "(0018,1314)", "70.5", "70,5"),
        ("MR", "RepetitionTime", "(0018,0080)", "500.5", "500,5"),
        ("MR", "InversionTime", "(0018,0082)", "1.8e2", "1,8e2"),
    ],
)
@pytest.mark.parametrize("where", [(1,), (1, 3, 5), (0, 1, 2, 3, 4)])
def test_a_comma_in_some_slices_names_element_value_and_file(
    modality, keyword, tag, point, comma, where, tmp_path
):
    values = [comma if k in where else point for k in range(6)]
    series = series_with(tmp_path, keyword, values, modality=modality)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.UNREADABLE)
    said = f"{keyword} {tag} is '{comma}', which is not a number because of its decimal comma"
    assert said in series.message
    assert f"in {len(where)} of 6 slices, such as im000" in series.message
    assert "acquisition" not in series.message


@pytest.mark.parametrize(
    ("modality", "keyword", "values"),
    [
        ("CT", "KVP", ["120,0"] * 6),
        ("MR", "EchoTime", ["4,65"] * 3 + ["4,66"] * 3),
        ("MR", "EchoTime", ["4,65", "", "4,65", "", "4,65", "4,65"]),
        ("MR", "TriggerTime", ["70,5", "70.5"] * 3),
    ],
)
def test_commas_that_contradict_nothing_refuse_nothing(modality, keyword, values, tmp_path):
    series = series_with(tmp_path, keyword, values, modality=modality)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


def test_two_values_with_commas_are_two_values(tmp_path):
    series = series_with(tmp_path, "EchoTime", ["4,6", "9,2"] * 3, modality="MR")
    assert series.reason is Reason.MIXED_ACQUISITION
    assert "2 echo times (4.6 ms, 9.2 ms)" in series.message


def test_a_comma_in_a_number_of_the_geometry_is_named(tmp_path):
    series = series_with(tmp_path, "SpacingBetweenSlices", ["1,25"] * 6)
    assert series.reason is Reason.UNREADABLE
    said = (
        "SpacingBetweenSlices (0018,0088) is '1,25', which is not a number because of its decimal"
    )
    assert said in series.message
