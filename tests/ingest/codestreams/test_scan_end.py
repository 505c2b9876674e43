"""Tests of medseg.ingest.codestreams.scan_end: a JPEG holds as many samples as its size says, or is
refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestreams.scan_end import check_scan_end
from medseg.ingest.dicom.pixels.decoders import _decode_by_libjpeg, _decode_by_pillow
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


def jpeg(stored=STORED, **options):
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def lossless(stored, *, bits=8):
    """ITU-T T.81 Annex H: each sample less its left neighbour, the first of a row less that above.

    The code of a difference is its number of bits, in five, and then these.
    """
    rows, columns = stored.shape
    frame = struct.pack(">BHHBBBB", bits, rows, columns, 1, 1, 0x11, 0)
    lengths = bytes([0, 0, 0, 0, 17]) + bytes(11)
    scan = bytes([1, 1, 0, 1, 0, 0])
    segments = {0xC3: frame, 0xC4: b"\0" + lengths + bytes(range(17)), 0xDA: scan}
    head = b"".join(struct.pack(">BBH", 0xFF, code, len(s) + 2) + s for code, s in segments.items())
    whole = stored.astype(int)
    before = np.full(rows, 2 ** (bits - 1))
    before[1:] = whole[:-1, 0]
    steps = np.diff(whole, axis=1, prepend=before[:, None]).ravel()
    code = "".join(f"{n:05b}" + (f"{step - (step < 0) & 2**n - 1:0{n}b}" if n else "")
                   for step in map(int, steps) for n in [abs(step).bit_length()])  # fmt: skip
    code += "1" * (-len(code) % 8)
    content = bytes(int(code[at : at + 8], 2) for at in range(0, len(code), 8))
    return b"\xff\xd8" + head + content.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def with_size(frame, rows, columns):
    changed, at = bytearray(frame), 2
    while changed[at + 1] not in (0xC0, 0xC1, 0xC2, 0xC3):
        at += 2 + struct.unpack_from(">H", changed, at + 2)[0]
    struct.pack_into(">2H", changed, at + 5, rows, columns)
    return bytes(changed)


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
    frame = with_size(jpeg(**options), *size)
    with pytest.raises(ValueError, match="more samples"):
        check_scan_end(frame, _decode_by_pillow)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_blank_jpeg_is_let_pass(value, options):
    check_scan_end(jpeg(np.full_like(STORED, value), **options), _decode_by_pillow)


@pytest.mark.parametrize("behind", [b"", b"\0", b"\xff", b"\0\0 a trailer \xff\xd9"])
@pytest.mark.parametrize("before", [b"", b"\0\0", b"\xff\xff"])
def test_what_stands_around_the_end_marker_is_no_code(behind, before):
    frame = jpeg()
    check_scan_end(frame[:-2] + before + frame[-2:] + behind, _decode_by_pillow)


def test_a_preview_in_the_header_is_not_taken_for_the_image():
    preview = jpeg(np.zeros((8, 8), np.uint8))
    segment = b"\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview
    frame = jpeg()
    check_scan_end(frame[:2] + segment + frame[2:], _decode_by_pillow)
    with pytest.raises(ValueError, match="fewer samples"):
        check_scan_end(
            with_size(frame[:2] + segment + frame[2:], 2 * ROWS, COLUMNS), _decode_by_pillow
        )


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("columns", [9, 72, 73, COLUMNS])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_lossless_jpeg_of_another_height_is_noticed(bits, columns, is_known):
    stored = STORED[:, :columns].astype(np.uint16) << (bits - 8)
    frame = lossless(stored, bits=bits)
    np.testing.assert_array_equal(_decode_by_libjpeg(frame), stored)
    plane = stored.astype(np.int16) - 2**12 if is_known else None  # as a decoder may shift it
    check_scan_end(frame, _decode_by_libjpeg, plane=plane)
    check_scan_end(frame, _decode_by_libjpeg, plane=stored if is_known else None)
    few, many = "fewer samples|run out of data", "more samples"  # the decoder itself sees some
    for rows, words in ((ROWS + 1, few), (2 * ROWS, few), (ROWS - 2, many)):
        changed = with_size(frame, rows, columns)
        with pytest.raises((RuntimeError, ValueError), match=words):
            check_scan_end(
                changed,
                _decode_by_libjpeg,
                plane=_decode_by_libjpeg(changed) if is_known else None,
            )


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
    path.write_bytes(jpeg())
    assert read_picture(path).array.shape == (ROWS, COLUMNS)
    path.write_bytes(with_size(jpeg(), 2 * ROWS, COLUMNS))
    with pytest.raises(IngestError, match="fewer samples") as caught:
        read_picture(path)
    assert caught.value.code is Reason.TRUNCATED
