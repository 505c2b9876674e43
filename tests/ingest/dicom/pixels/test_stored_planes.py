"""Tests of medseg.ingest.dicom.pixels.stored_planes: samples come as they are stored, in every
syntax."""

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
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.pixels import stored_planes


def loaded(slices, tmp_path):
    write_series(tmp_path, slices)
    return load(tmp_path)[0]


def planes(array):
    """(columns, rows, slices) to (slices, rows, columns)."""
    return array.transpose(2, 1, 0)


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


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_bits_above_bits_stored_do_not_reach_the_values(dtype, tmp_path):
    """An old overlay in bit 12 of 12-bit samples; the sign is extended from bit 11."""
    values = ramp() - (60 if dtype is np.int16 else 0)
    slices = make_series(((values & 0x0FFF) | 0x1000).astype(dtype))
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
    np.testing.assert_array_equal(planes(loaded(slices, tmp_path)), values - 1024)


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


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_files_are_parsed_once_from_the_folder_to_the_volume(
    syntax, tmp_path, monkeypatch
):
    stored = np.random.default_rng(0).integers(0, 4000, (3, 64, 72)).astype(np.uint16)
    paths = write_series(tmp_path, compress_series(make_series(stored), syntax))
    parsed = []

    def count(file, path, **options):
        parsed.append(path)
        return parse(file, path, **options)

    monkeypatch.setattr("medseg.ingest.dicom.read_slices.parse", count)
    monkeypatch.setattr(stored_planes, "parse", count)
    np.testing.assert_array_equal(planes(load(tmp_path)[0]), stored.astype(int) - 1024)
    assert sorted(parsed) == sorted(paths)
