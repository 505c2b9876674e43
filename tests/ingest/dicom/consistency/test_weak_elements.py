"""Tests of medseg.ingest.dicom.consistency.weak_elements: dose, content times and windows make no
volumes alone."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest import Reason, Verdict, find_series
from medseg.ingest.dicom.consistency.weak_elements import is_weak


def overlapping(**elements):
    """Twelve CT slices of twice the step's thickness, each with one value of every element."""
    slices = make_series(ramp((12, 6, 4)), uid="1.2.3")
    for k, s in enumerate(slices):
        s.SliceThickness = 2.5
        for keyword, value_of in elements.items():
            setattr(s, keyword, value_of(k))
    return slices


@pytest.mark.parametrize(
    "elements",
    [
        {"XRayTubeCurrent": lambda k: 100 + 10 * (k % 3), "Exposure": lambda k: 50 + 5 * (k % 3)},
        {"XRayTubeCurrent": lambda k: 100 + 10 * (k % 4), "Exposure": lambda k: 50 + 5 * (k % 4)},
        {"XRayTubeCurrent": lambda k: 100 + 100 * (k % 4)},
        {"XRayTubeCurrent": lambda k: 200 + k % 2},
        {"XRayTubeCurrent": lambda k: 100 + 50 * (k % 2), "ExposureInmAs": lambda k: 5.0 + k % 2},
        {"ExposureTime": lambda k: 500 + k % 3},
        {"ContentTime": lambda k: f"1000{k % 4:02}"},
        {"ContentTime": lambda k: ("105959.5", "110000")[k % 2]},
        {"ContentTime": lambda k: f"09000{k % 2}.25"},
        {"WindowCenter": lambda k: 40 + 10 * (k % 3), "WindowWidth": lambda k: 400 + k % 3},
        {"WindowCenter": lambda k: [40 + k % 2, -600]},
    ],
)
def test_dose_content_times_and_windows_may_repeat_in_a_strict_order(elements, tmp_path):
    write_series(tmp_path, overlapping(**elements))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize(
    ("keyword", "one", "other"),
    [
        ("XRayTubeCurrent", 50, 200),
        ("Exposure", 10, 20),
        ("ContentTime", "100000", "100500"),
        ("ContentTime", "095955", "100005"),
        ("WindowCenter", 40, -600),
        ("WindowWidth", 400, 1500),
    ],
)
def test_two_values_far_apart_by_turns_are_two_volumes(keyword, one, other, tmp_path):
    write_series(tmp_path, overlapping(**{keyword: lambda k: (one, other)[k % 2]}))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MIXED_ACQUISITION)
    assert f"2 values of {keyword} that alternate" in series.message


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("CTExposureSequence.XRayTubeCurrentInmA", {200.0, 201.0}, True),
        ("CTExposureSequence.XRayTubeCurrentInmA", {50.0, 200.0}, False),
        ("FrameVOILUTSequence.WindowCenter", {40.0, -600.0}, False),
        ("ContentTime", {"no time", "100000"}, True),
        ("StationName", {"a", "b"}, False),
        ("AcquisitionTime", {"100000", "100001"}, False),
        ("Exposure", {"", 100.0, 110.0}, True),
    ],
)
def test_the_last_keyword_says_whether_an_element_is_weak(name, values, expected):
    assert is_weak(name, values) is expected
