"""Tests of medseg.ingest.dicom.judge: slices among others that are none still make a volume."""

from __future__ import annotations

import logging

import numpy as np
from ingest.dicom_writer import CORONAL, make_series, ramp, write_series
from pydicom.uid import SecondaryCaptureImageStorage

from medseg.ingest import Reason, Verdict, find_series, load


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
