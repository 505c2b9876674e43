"""Tests of medseg.ingest.dicom.sample_checks.rescale_jumps: a slice whose rescale does not fit
those beside it."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from pydicom.uid import MRImageStorage

from medseg.ingest import Reason, Verdict, find_series, load
from medseg.ingest.dicom.sample_checks.rescale_jumps import MOST_SLICES

ROWS, COLUMNS = np.mgrid[:32, :48]
HU = np.stack([np.where(COLUMNS > 4, 3 * ROWS + 5 * COLUMNS + k, -1000) for k in range(8)])
STORED = (HU + 1024).astype(np.int16)


def series_of(slices, tmp_path):
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    return series


@pytest.mark.parametrize(
    ("place", "slope", "intercept"), [(0, 2, -1024), (4, 2, -1024), (7, 0.25, -1024), (4, 1, 0)]
)
def test_a_slice_with_another_rescale_of_samples_alike_is_named(place, slope, intercept, tmp_path):
    slices = make_series(STORED)
    slices[place].RescaleSlope, slices[place].RescaleIntercept = slope, intercept
    series = series_of(slices, tmp_path)
    assert series.verdict is Verdict.ACCEPT
    (finding,) = [said for reason, said in series.notes if "does not fit" in said]
    assert f"slope {slope:g} and intercept {intercept:g}" in finding
    assert "in 1 of 8 slices, the first" in finding
    assert {reason for reason, _ in series.notes} == {Reason.UNLIKELY_VALUES}


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [1, 3, 5, 7]])
def test_half_of_the_slices_with_another_rescale_are_named(places, tmp_path):
    slices = make_series(STORED)
    for k in places:
        slices[k].RescaleSlope = 2
    assert any("does not fit" in said for _, said in series_of(slices, tmp_path).notes)


def test_one_slice_of_mr_with_another_rescale_is_named(tmp_path):
    slices = make_series(STORED)
    for s in slices:
        s.Modality, s.SOPClassUID, s.file_meta.MediaStorageSOPClassUID = "MR", *2 * [MRImageStorage]
        s.RescaleSlope, s.RescaleIntercept, s.RescaleType = 1, 0, "US"
    slices[5].RescaleSlope = 2
    assert any("in 1 of 8" in said for _, said in series_of(slices, tmp_path).notes)


def test_slices_that_were_each_scaled_for_itself_pass_without_a_word(tmp_path):
    slices = make_series(STORED)
    stored = np.frombuffer(slices[4].PixelData, "<i2")
    slices[4].PixelData = (stored * 4).astype("<i2").tobytes()
    slices[4].RescaleSlope = 0.25
    series = series_of(slices, tmp_path)
    assert series.notes == ()
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.transpose(2, 1, 0), HU)


def test_many_slices_with_another_rescale_are_looked_at_in_part(tmp_path):
    slices = make_series(np.tile(STORED, (8, 1, 1)))
    for k in range(1, 62, 2):
        slices[k].RescaleSlope = 2
    series = series_of(slices, tmp_path)
    assert any(f"in {MOST_SLICES} of" in finding for _, finding in series.notes)
