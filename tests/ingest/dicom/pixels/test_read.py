"""Tests of medseg.ingest.dicom.pixels.read: stored samples to physical values, exactly."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ingest.dicom_writer import (
    as_big_endian,
    compress_series,
    make_series,
    ramp,
    set_pixels,
    write_series,
)
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load


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


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8])
def test_lossless_compression_changes_nothing(syntax, dtype, tmp_path):
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    low, high = max(info.min, -2000), min(info.max, 4000)
    stored = rng.integers(low, high, (3, 64, 72)).astype(dtype)
    array = loaded(compress_series(make_series(stored), syntax), tmp_path)
    np.testing.assert_array_equal(planes(array), stored.astype(int) - 1024)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_uncompressed_syntax_gives_the_same_volume(syntax, tmp_path):
    slices = make_series()
    for k, dataset in enumerate(slices):
        dataset.file_meta.TransferSyntaxUID = syntax
        if not syntax.is_little_endian:
            dataset.PixelData = ramp()[k].astype(">i2").tobytes()
        dataset.save_as(tmp_path / f"{k}", enforce_file_format=True)
    np.testing.assert_array_equal(planes(load(tmp_path)[0]), ramp() - 1024)


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


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_bits_above_bits_stored_do_not_reach_the_values(dtype, tmp_path):
    """An old overlay in bit 12 of 12-bit samples; the sign is extended from bit 11."""
    values = ramp() - (60 if dtype is np.int16 else 0)
    slices = make_series(((values & 0x0FFF) | 0x1000).astype(dtype))
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), values - 1024)


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


def test_slices_may_differ_in_sample_layout(tmp_path):
    slices = make_series()
    set_pixels(slices[2], ramp()[2].astype(np.uint8))
    compress_series(slices[3:4], RLELossless)
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), ramp() - 1024)


def test_a_codestream_that_is_garbage_is_refused(tmp_path):
    slices = compress_series(make_series(ramp((5, 64, 64))), JPEG2000Lossless)
    slices[2].PixelData = encapsulate([b"garbage!"])
    slices[2]["PixelData"].is_undefined_length = True
    paths = write_series(tmp_path, slices)
    with pytest.raises(IngestError, match=r"JPEG 2000.*: decompress") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNDECODABLE
    assert str(paths[2]) in str(caught.value)


def test_a_codestream_of_another_size_is_refused(tmp_path):
    slices = compress_series(make_series(np.zeros((3, 64, 64), np.int16)), JPEG2000Lossless)
    for dataset in slices:
        dataset.Columns = 63
    write_series(tmp_path, slices)
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNDECODABLE


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_bits_above_bits_stored_are_dropped_in_other_syntaxes_too(syntax, tmp_path):
    slices = make_series(((ramp() - 60) & 0x0FFF | 0x1000).astype(np.int16))
    for dataset in slices:
        if syntax is RLELossless:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            as_big_endian(dataset)
        dataset.BitsStored, dataset.HighBit = 12, 11
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), ramp() - 60 - 1024)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_signed_and_unsigned_samples_keep_their_meaning(dtype, tmp_path):
    info = np.iinfo(dtype)
    stored = np.linspace(info.min, info.max, 24).astype(dtype).reshape(1, 6, 4)
    np.testing.assert_array_equal(planes(loaded(make_series(stored), tmp_path)), stored - 1024.0)


def test_lossy_compression_is_accepted_and_recorded(tmp_path, caplog):
    slices = make_series(uid="1.2.3")
    for dataset in slices[:2]:
        dataset.LossyImageCompression = "01"
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.LOSSY_COMPRESSION)
    with caplog.at_level(logging.WARNING):
        load(tmp_path)
    assert "2 of 5 slices were compressed with loss in series 1.2.3" in caplog.text


@pytest.mark.realdata
@pytest.mark.parametrize(("codec", "is_lossy"), [("JPLY", True), ("JLSN", True), ("J2KR", False)])
def test_real_lossy_files_are_recorded_as_such(data_root, codec, is_lossy):
    (series,) = find_series(data_root / "dicom" / "dicom_wg04_compressed" / codec / f"MR1_{codec}")
    assert (Reason.LOSSY_COMPRESSION in dict(series.notes)) is is_lossy


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
