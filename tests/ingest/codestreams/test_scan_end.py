"""Tests of medseg.ingest.codestreams.scan_end: a JPEG holds as many samples as its size says, or is
refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from ingest.jpeg_writer import jpeg, lossless, with_size
from pydicom import uid
from pydicom.encaps import encapsulate

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestreams.scan_end import check_scan_end
from medseg.ingest.dicom.pixels.decoders import _decode_by_pillow
from medseg.ingest.dicom.pixels.jpeg import decode_jpeg
from medseg.ingest.pictures.file import read_picture

ROWS, COLUMNS = 60, 88
STORED = np.random.default_rng(0).integers(0, 255, (ROWS, COLUMNS)).astype(np.uint8)
SMOOTH = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)).astype(np.uint8)
OPTIONS = [
    {},
    {"progressive": True},
    {"restart_marker_blocks": 3},
    {"restart_marker_rows": 1},
    {"optimize": True, "quality": 30},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("plane", [STORED, SMOOTH])
def test_a_whole_jpeg_is_let_pass(options, colours, plane):
    stored = np.stack([plane, 255 - plane, plane], axis=-1) if colours else plane
    check_scan_end(jpeg(stored, **options), _decode_by_pillow)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("rows", [ROWS + 16, 3 * ROWS])
def test_rows_for_which_there_is_no_code_are_noticed(options, colours, rows):
    stored = np.stack([STORED, 255 - STORED, STORED], axis=-1) if colours else STORED
    frame = with_size(jpeg(stored, **options), rows, COLUMNS)
    with pytest.raises(ValueError, match="fewer samples"):
        check_scan_end(frame, _decode_by_pillow)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", [(ROWS - 16, COLUMNS), (ROWS, COLUMNS - 16)])
def test_code_that_is_left_over_is_noticed(options, size):
    frame = with_size(jpeg(STORED, **options), *size)
    with pytest.raises(ValueError, match="more samples"):
        check_scan_end(frame, _decode_by_pillow)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_blank_jpeg_is_let_pass(value, options):
    check_scan_end(jpeg(np.full_like(STORED, value), **options), _decode_by_pillow)


@pytest.mark.parametrize("behind", [b"", b"\0", b"\xff", b"\0\0 a trailer \xff\xd9"])
@pytest.mark.parametrize("before", [b"", b"\0\0", b"\xff\xff"])
def test_what_stands_around_the_end_marker_is_no_code(behind, before):
    frame = jpeg(STORED)
    check_scan_end(frame[:-2] + before + frame[-2:] + behind, _decode_by_pillow)


def test_a_preview_in_the_header_is_not_taken_for_the_image():
    preview = jpeg(np.zeros((8, 8), np.uint8))
    segment = b"\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview
    frame = jpeg(STORED)
    check_scan_end(frame[:2] + segment + frame[2:], _decode_by_pillow)
    with pytest.raises(ValueError, match="fewer samples"):
        check_scan_end(
            with_size(frame[:2] + segment + frame[2:], 2 * ROWS, COLUMNS), _decode_by_pillow
        )


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("columns", [9, 72, 73, COLUMNS])
@pytest.mark.parametrize("restart_rows", [0, 7])
def test_a_lossless_jpeg_of_another_height_is_noticed(bits, columns, restart_rows):
    stored = STORED[:, :columns].astype(np.uint16) << (bits - 8)
    frame = lossless(stored, bits=bits, restart_rows=restart_rows)
    np.testing.assert_array_equal(decode_jpeg(frame), stored)
    check_scan_end(frame, decode_jpeg)
    few, many = "fewer samples", "more samples"
    for rows, words in ((ROWS + 1, few), (2 * ROWS, few), (ROWS - 2, many)):
        with pytest.raises(ValueError, match=words):
            check_scan_end(with_size(frame, rows, columns), decode_jpeg)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.JPEGBaseline8Bit, jpeg),
        (uid.JPEGExtended12Bit, jpeg),
        (uid.JPEGLossless, lossless),
        (uid.JPEGLosslessSV1, lossless),
    ],
)
def test_dicom_of_a_raised_height_is_refused(syntax, encode, tmp_path):
    (dataset,) = make_series(STORED[None])
    dataset.file_meta.TransferSyntaxUID = syntax
    frame = encode(STORED)
    for name, rows in (("whole", ROWS), ("raised", 2 * ROWS)):
        dataset.Rows = rows
        dataset.PixelData = encapsulate([with_size(frame, rows, COLUMNS)])
        dataset["PixelData"].is_undefined_length = True
        write_series(tmp_path / name, [dataset])
    assert load(tmp_path / "whole")[0].shape == (COLUMNS, ROWS, 1)
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "raised")
    assert caught.value.code is Reason.UNDECODABLE
    assert "fewer samples" in str(caught.value.__cause__)


def test_a_picture_of_a_raised_height_is_refused(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg(STORED))
    assert read_picture(path).array.shape == (ROWS, COLUMNS)
    path.write_bytes(with_size(jpeg(STORED), 2 * ROWS, COLUMNS))
    with pytest.raises(IngestError, match="fewer samples") as caught:
        read_picture(path)
    assert caught.value.code is Reason.TRUNCATED
