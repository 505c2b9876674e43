"""Tests of medseg.ingest.codestream: a codestream's own size, and what is refused for it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ingest.dicom_writer import compress_series, make_series, write_series
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestream import stated_sizes


def items(*fragments):
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(f)) + f for f in fragments)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_rows_and_columns_of_real_encoders_are_told(syntax):
    (dataset,) = compress_series(make_series(np.zeros((1, 64, 70), np.int16)), syntax)
    assert list(stated_sizes(dataset.PixelData)) == [(64, 70)]


def test_rle_states_no_size():
    (dataset,) = compress_series(make_series(np.zeros((1, 30, 41), np.int16)), RLELossless)
    assert list(stated_sizes(dataset.PixelData)) == []


def test_segments_before_the_frame_header_are_walked_over():
    comment, fill = b"\xff\xfe\x00\x06abcd", b"\xff"
    frame = b"\xff\xc3\x00\x0b\x10" + struct.pack(">HH", 512, 300)
    assert list(stated_sizes(items(b"", b"\xff\xd8" + comment + fill + frame))) == [(512, 300)]


@pytest.mark.parametrize(
    "fragment", [b"", b"\xff\xd8", b"\xff\xd8\x00\x00", b"\xff\x4f\xff\x51\x00"]
)
def test_what_cannot_be_told_is_passed_over(fragment):
    assert list(stated_sizes(items(fragment))) == []


@pytest.mark.realdata
@pytest.mark.parametrize("codec", ["JPLL", "JPLY", "JLSN", "J2KI"])
def test_real_files_state_the_size_of_their_header(data_root, codec):
    """MR2 is 1024x1024."""
    file = data_root / "dicom" / "dicom_wg04_compressed" / codec / f"MR2_{codec}"
    content = file.read_bytes()
    start = content.index(b"\xfe\xff\x00\xe0", content.index(b"\xe0\x7f\x10\x00"))
    assert set(stated_sizes(content[start:])) == {(1024, 1024)}


def test_a_codestream_that_would_allocate_more_is_refused_before_it_is_decoded(tmp_path):
    """Its own header says 60000x60000, 7 GiB, in a file of 64x64."""
    stored = np.zeros((1, 64, 64), np.int16)
    (dataset,) = compress_series(make_series(stored), JPEG2000Lossless)
    honest = struct.pack(">II", 64, 64)
    assert dataset.PixelData.count(honest) >= 1
    dataset.PixelData = dataset.PixelData.replace(honest, struct.pack(">II", 60000, 60000))
    dataset["PixelData"].is_undefined_length = True
    write_series(tmp_path, [dataset])
    with pytest.raises(IngestError, match=r"codestream of \(60000, 60000\)") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNDECODABLE
