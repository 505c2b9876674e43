"""Tests of medseg.ingest.dicom.find_series: files are grouped and every group gets a verdict."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest import IngestError, Reason, Verdict, find_series, load


def test_two_series_in_one_folder_are_told_apart(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.4"), suffix=".dcm")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.3"), suffix="")
    found = [(s.uid, len(s.files), s.verdict) for s in find_series(tmp_path)]
    assert found == [("1.2.3", 3, Verdict.ACCEPT), ("1.2.4", 5, Verdict.ACCEPT)]


def test_one_series_in_nested_folders_is_put_together(tmp_path):
    slices = make_series()
    write_series(tmp_path / "a", slices[::2])
    write_series(tmp_path / "b" / "c", slices[1::2])
    (series,) = find_series(tmp_path)
    assert (series.verdict, len(series.files)) == (Verdict.ACCEPT, 5)


def test_without_series_uid_a_folder_is_a_series(tmp_path):
    for name in ("a", "b"):
        slices = make_series()
        for dataset in slices:
            dataset.SeriesInstanceUID = ""
        write_series(tmp_path / name, slices)
    first, second = find_series(tmp_path)
    assert (first.verdict, first.reason) == (Verdict.REPAIR, Reason.NO_SERIES_UID)
    assert first.geometry.shape == second.geometry.shape == (4, 6, 5)
    assert str(tmp_path / "a") in first.message


def without_uid(**elements):
    slices = make_series(ramp((3, 6, 4)))
    for dataset in slices:
        dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "", "1.2.4"
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
    return slices


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("StudyInstanceUID", ("1.2.8", "1.2.9")),
        ("PatientID", ("secret-a", "secret-b")),
        ("SeriesNumber", (1, 2)),
    ],
)
def test_without_series_uid_what_one_folder_holds_is_told_apart(keyword, values, tmp_path):
    """At half a spacing the six files would make one regular stack."""
    one, other = (without_uid(**{keyword: value}) for value in values)
    for dataset in other:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + 0.625]
    write_series(tmp_path, one, suffix=".a")
    write_series(tmp_path, other, suffix=".b")
    found = find_series(tmp_path)
    assert [(s.reason, len(s.files)) for s in found] == [(Reason.NO_SERIES_UID, 3)] * 2
    assert [{f.suffix for f in s.files} for s in found] == [{".a"}, {".b"}]
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SEVERAL_SERIES
    assert "ecret" not in str(caught.value)


def test_without_series_uid_two_frames_of_reference_stay_refused(tmp_path):
    slices = without_uid()
    slices[1].FrameOfReferenceUID = "1.2.5"
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MIXED_FRAME_OF_REFERENCE


def test_a_folder_without_dicom_has_no_series(tmp_path):
    assert find_series(tmp_path) == []


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(IngestError, match="no such file or folder") as caught:
        find_series(tmp_path / "nowhere")
    assert caught.value.code is Reason.NOT_FOUND


@pytest.mark.parametrize("suffix", ["", ".ima", ".0001", ".txt"])
def test_the_content_tells_dicom_not_the_name(tmp_path, suffix):
    write_series(tmp_path, make_series(), suffix=suffix)
    (series,) = find_series(tmp_path)
    assert (series.verdict, len(series.files)) == (Verdict.ACCEPT, 5)
