"""Tests of medseg.ingest.dicom.series: files are grouped and every group gets a verdict."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ingest.dicom_writer import CORONAL, make_series, ramp, write_series
from pydicom.uid import SecondaryCaptureImageStorage

from medseg.ingest import IngestError, Reason, Verdict, find_series, load


def test_a_clean_series_is_accepted(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"))
    (series,) = find_series(tmp_path)
    assert (series.uid, series.modality, len(series.files)) == ("1.2.3", "CT", 5)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)
    assert series.message == ""


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


def test_a_file_is_a_series_of_one_slice(tmp_path):
    paths = write_series(tmp_path, make_series())
    (series,) = find_series(paths[2])
    assert series.files == (paths[2],)
    assert series.reason is Reason.SINGLE_SLICE


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


def localizer(dataset):
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def secondary_capture(dataset):
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    del dataset.ImagePositionPatient


def beside_the_slices(*spoils, uid="1.2.3"):
    """Slices and, under the same UID, others that are none, across them and larger."""
    slices = make_series(uid=uid)
    others = make_series(np.zeros((len(spoils), 9, 7), np.int16), orientation=CORONAL, uid=uid)
    for dataset, spoil in zip(others, spoils, strict=True):
        spoil(dataset)
    return slices, others


def test_localizers_and_captures_within_a_series_are_left_aside_and_counted(tmp_path, caplog):
    slices, others = beside_the_slices(localizer, localizer, secondary_capture)
    paths = write_series(tmp_path / "a", slices)
    write_series(tmp_path / "b", others)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.LEFT_ASIDE)
    assert "2 localizers and 1 secondary capture of 8 slices left aside in" in series.message
    assert list(series.files) == paths
    with caplog.at_level(logging.WARNING):
        array, geometry = load(tmp_path)
    np.testing.assert_array_equal(array, ramp().transpose(2, 1, 0) - 1024)
    assert geometry == series.geometry
    assert "left aside" in caplog.text


def test_what_is_left_is_judged_like_any_other_series(tmp_path):
    slices, others = beside_the_slices(localizer)
    del slices[2]
    write_series(tmp_path / "a", slices)
    write_series(tmp_path / "b", others)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MISSING_SLICES)
    assert "in series 1.2.3 (without 1 localizer): slices are missing" in series.message
    (resampled,) = find_series(tmp_path, resample=True)
    reasons = [reason for reason, _ in resampled.notes]
    assert reasons == [Reason.LEFT_ASIDE, Reason.RESAMPLED]
    assert resampled.geometry.shape == (4, 6, 5)


def test_one_slice_among_localizers_is_no_volume(tmp_path):
    slices, others = beside_the_slices(localizer, localizer)
    write_series(tmp_path / "a", slices[:1])
    write_series(tmp_path / "b", others)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.LOCALIZER)
    assert "2 of 3 files are localizers" in series.message


def test_a_damaged_file_is_a_series_of_its_own_that_names_it(tmp_path):
    write_series(tmp_path, make_series())
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    _, broken = find_series(tmp_path)
    assert broken.files == (tmp_path / "broken.dcm",)
    assert (broken.verdict, broken.slices) == (Verdict.REFUSE, ())
