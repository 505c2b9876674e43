"""Tests of medseg.ingest.dicom.pixels.rescale: stored samples to physical values, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import (
    make_series,
    ramp,
    write_series,
)
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from medseg.ingest import load


def loaded(slices, tmp_path):
    write_series(tmp_path, slices)
    return load(tmp_path)[0]


def planes(array):
    """(columns, rows, slices) to (slices, rows, columns)."""
    return array.transpose(2, 1, 0)


def test_values_are_int16_hounsfield_units(tmp_path):
    array = loaded(make_series(), tmp_path)
    assert array.dtype == np.int16
    np.testing.assert_array_equal(planes(array), ramp() - 1024)


def test_rescale_is_applied_slice_by_slice(tmp_path):
    slices = make_series()
    for k, dataset in enumerate(slices):
        dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "PT", k + 0.5, -k
    array = loaded(slices, tmp_path)
    slopes = np.arange(5)[:, None, None]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(planes(array), ramp() * (slopes + 0.5) - slopes)


def test_whole_number_rescale_stays_int16(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.RescaleSlope, dataset.RescaleIntercept = -3, 70
    array = loaded(slices, tmp_path)
    assert array.dtype == np.int16
    np.testing.assert_array_equal(planes(array), ramp() * -3 + 70)


@pytest.mark.parametrize(
    ("highest", "dtype"), [(32767 + 1024, np.int16), (32768 + 1024, np.float32)]
)
def test_values_beyond_int16_become_float32_never_wrap(highest, dtype, tmp_path):
    stored = ramp().astype(np.uint16)
    stored[3, 2, 1] = highest
    array = loaded(make_series(stored), tmp_path)
    assert array.dtype == dtype
    np.testing.assert_array_equal(planes(array), stored.astype(int) - 1024)


def test_ct_padding_becomes_air_outside_the_field_of_view(tmp_path):
    stored = ramp()
    stored[:, 0, 0] = -2000
    slices = make_series(stored)
    for dataset in slices:
        dataset.add_new(0x00280120, "SS", -2000)
    array = planes(loaded(slices, tmp_path))
    assert (array[:, 0, 0] == -1024).all()
    np.testing.assert_array_equal(array[:, 1:], stored[:, 1:] - 1024)


def test_padding_may_be_written_with_the_other_sign(tmp_path):
    stored = ramp().astype(np.uint16)
    stored[:, 0, 0] = 65536 - 2000
    slices = make_series(stored)
    for dataset in slices:
        dataset.add_new(0x00280120, "SS", -2000)
    assert (planes(loaded(slices, tmp_path))[:, 0, 0] == -1024).all()


def test_a_padding_range_is_padding_as_a_whole(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.add_new(0x00280120, "SS", 3)
        dataset.add_new(0x00280121, "SS", 1)
    array = planes(loaded(slices, tmp_path)).ravel()
    assert array[:6].tolist() == [-1024, -1024, -1024, -1024, -1020, -1019]


def test_mr_padding_keeps_its_value(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.SOPClassUID, dataset.Modality = MRImageStorage, "MR"
        dataset.RescaleIntercept = 0
        dataset.add_new(0x00280120, "SS", 7)
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), ramp())


def test_monochrome1_does_not_invert_values(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), ramp() - 1024)


def in_32_bits(dtype, *, first, slope=1, intercept=0):
    """Slices whose stored values go on from `first`, one by one."""
    slices = make_series((ramp().astype(np.int64) + first).astype(dtype))
    for s in slices:
        s.RescaleSlope, s.RescaleIntercept = slope, intercept
    return slices


@pytest.mark.parametrize(
    ("dtype", "first", "read"),
    [
        (np.int32, -60, np.int16),
        (np.uint32, 0, np.int16),
        (np.int32, -100_000, np.float32),
        (np.int32, 2**24 + 1, np.float64),
        (np.int32, -(2**31), np.float64),
        (np.uint32, 2**32 - 120, np.float64),
    ],
)
@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian],
    ids=lambda syntax: syntax.name,
)
def test_samples_of_32_bits_keep_every_value(syntax, dtype, first, read, tmp_path):
    slices = in_32_bits(dtype, first=first)
    for s in slices:
        s.file_meta.TransferSyntaxUID, s.RescaleType = syntax, "US"  # no CT has such values
        if syntax == ExplicitVRBigEndian:
            s.PixelData = np.frombuffer(s.PixelData, "<i4").astype(">i4").tobytes()
    write_series(tmp_path, slices)
    volume, _ = load(tmp_path)
    assert volume.dtype == read
    expected = ramp().transpose(2, 1, 0).astype(np.int64) + first
    np.testing.assert_array_equal(volume.astype(np.int64), expected)


def test_samples_of_32_bits_are_rescaled_before_they_are_rounded(tmp_path):
    write_series(tmp_path, in_32_bits(np.uint32, first=2**31, intercept=-(2**31)))
    volume, _ = load(tmp_path)
    assert volume.dtype == np.int16
    np.testing.assert_array_equal(volume, ramp().transpose(2, 1, 0))


def test_a_fraction_of_samples_of_32_bits_is_of_double_precision(tmp_path):
    write_series(tmp_path, in_32_bits(np.int32, first=2**30, slope=0.5))
    volume, _ = load(tmp_path)
    assert volume.dtype == np.float64
    np.testing.assert_array_equal(volume, 2.0**29 + ramp().transpose(2, 1, 0) / 2)


def test_unused_bits_of_samples_of_32_bits_are_left_out(tmp_path):
    slices = in_32_bits(np.uint32, first=0)
    for s in slices:
        s.BitsStored, s.HighBit = 20, 19
        s.PixelData = (np.frombuffer(s.PixelData, np.uint32) | np.uint32(1 << 25)).tobytes()
    write_series(tmp_path, slices)
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0))
