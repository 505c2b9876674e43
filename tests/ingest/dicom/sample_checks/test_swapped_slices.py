"""Tests of medseg.ingest.dicom.sample_checks.swapped_slices: some slices of a series in another
byte order."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import as_big_endian, make_series, write_series
from pydicom.uid import DeflatedExplicitVRLittleEndian, MRImageStorage, RLELossless

from medseg.ingest import Reason, Verdict, find_series, load

ROWS, COLUMNS = np.mgrid[:32, :48]
BODY = np.stack([40 + 3 * ROWS + 5 * COLUMNS + 2 * k for k in range(8)]).astype(np.int16)
HU = np.where(BODY > 100, BODY, -1000).astype(np.int16)
STORED = HU + 1024
"""Values that change by a few from one slice to the next, with air about them."""


def swapped(slices, places):
    for k in places:
        samples = np.frombuffer(slices[k].PixelData, "<i2")
        slices[k].PixelData = samples.byteswap().tobytes()
    return slices


def judged(folder, slices):
    write_series(folder, slices)
    (series,) = find_series(folder)
    volume, _ = load(folder)
    return series, volume.transpose(2, 1, 0)


@pytest.mark.parametrize("places", [[0], [4], [7], [2, 3, 4], [0, 2, 4, 6]])
def test_slices_that_are_swapped_among_others_are_read_right_with_a_note(places, tmp_path):
    series, volume = judged(tmp_path, swapped(make_series(STORED), places))
    np.testing.assert_array_equal(volume, HU)
    assert series.verdict is Verdict.REPAIR
    assert series.reason is Reason.CORRECTED_SAMPLES
    assert f"in {len(places)} of 8 slices, the first" in series.finding


def test_swapped_slices_of_mr_are_read_right(tmp_path):
    slices = make_series(BODY)
    for s in slices:
        s.Modality, s.SOPClassUID, s.file_meta.MediaStorageSOPClassUID = "MR", *2 * [MRImageStorage]
        del s.RescaleSlope, s.RescaleIntercept
    series, volume = judged(tmp_path, swapped(slices, [5]))
    np.testing.assert_array_equal(volume, BODY)
    assert series.reason is Reason.CORRECTED_SAMPLES


def test_swapped_slices_of_a_deflated_series_are_read_right(tmp_path):
    slices = swapped(make_series(STORED), [3])
    for s in slices:
        s.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    series, volume = judged(tmp_path, slices)
    np.testing.assert_array_equal(volume, HU)
    assert series.reason is Reason.CORRECTED_SAMPLES


def test_little_endian_samples_among_big_endian_slices_are_read_right(tmp_path):
    slices = [as_big_endian(s) for s in swapped(make_series(STORED), [3])]
    series, volume = judged(tmp_path, slices)
    np.testing.assert_array_equal(volume, HU)
    assert series.reason is Reason.CORRECTED_SAMPLES


def test_noise_among_smooth_slices_is_left_as_it_is(tmp_path):
    noisy = HU.copy()
    noisy[4] = np.random.default_rng(0).integers(-1000, 2000, HU.shape[1:])
    series, volume = judged(tmp_path, make_series(noisy + 1024))
    np.testing.assert_array_equal(volume, noisy)
    assert series.notes == ()


def test_a_slice_without_its_last_rows_is_refused_as_before(tmp_path):
    slices = make_series(STORED)
    slices[4].PixelData = slices[4].PixelData[: HU[0].nbytes // 2]
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.REFUSE


def test_slices_that_are_compressed_are_not_compared(tmp_path):
    slices = swapped(make_series(STORED), [3])
    for s in slices:
        s.compress(RLELossless)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert Reason.CORRECTED_SAMPLES not in [reason for reason, _ in series.notes]
