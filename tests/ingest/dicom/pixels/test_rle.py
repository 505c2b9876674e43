"""Tests of medseg.ingest.dicom.pixels.rle: a frame of exactly the pixels that are stated, or an
error."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from medseg.ingest.dicom.pixels.rle import decode_rle


def frame(*segments):
    """Header and segments as PS3.5 Annex G lays them out."""
    offsets = 64 + np.cumsum([0, *map(len, segments)])[:-1]
    table = [len(segments), *offsets, *[0] * (15 - len(segments))]
    return struct.pack("<16I", *table) + b"".join(segments)


def decoded(code, pixels):
    return decode_rle(frame(code), pixels, samples=1, bytes_per_sample=1).ravel().tolist()


LITERAL, RUN = b"\x02\x07\x08\x09", b"\xfe\x05"
"""Seven, eight, nine; and five three times: 257 - 254."""


def test_literals_and_runs_are_what_the_annex_says():
    assert decoded(LITERAL + b"\x80" + RUN, 6) == [7, 8, 9, 5, 5, 5]


def test_the_longest_literal_and_run_are_128_bytes():
    assert decoded(b"\x7f" + bytes(range(128)) + b"\x81\x03", 256) == [*range(128), *[3] * 128]


def test_equal_runs_in_a_row_are_as_many_as_the_pixels():
    assert decoded(3 * RUN + b"\x00\x01" + 2 * RUN, 16) == [*9 * [5], 1, *6 * [5]]
    with pytest.raises(ValueError, match="more or less than 9 pixels"):
        decoded(4 * RUN, 9)


def test_the_first_segment_is_the_more_significant_byte():
    plane = decode_rle(frame(b"\x01\x01\x02", b"\x01\x03\x04"), 2, samples=1, bytes_per_sample=2)
    assert plane.view("<u2").ravel().tolist() == [0x0103, 0x0204]


def test_colours_come_one_after_the_other():
    segments = (b"\x00\x01", b"\x00\x02", b"\x00\x03")
    decoded = decode_rle(frame(*segments), 1, samples=3, bytes_per_sample=1)
    assert decoded.tolist() == [[[1]], [[2]], [[3]]]


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0\0"])
def test_zeros_behind_the_code_are_padding(padding):
    assert decoded(LITERAL + padding, 3) == [7, 8, 9]


def test_a_code_may_be_one_byte_longer():
    assert decoded(RUN, 2) == [5, 5]


@pytest.mark.parametrize(
    ("code", "pixels"),
    [(RUN + LITERAL, 3), (LITERAL + b"\x01\x01\x02", 3), (RUN, 1), (RUN, 4), (LITERAL[:3], 3)],
)
def test_more_or_fewer_pixels_than_stated_raise(code, pixels):
    """The codes hold 6, 5, 3, 3 and 2; one more would be padding."""
    with pytest.raises(ValueError, match=f"more or less than {pixels} pixels"):
        decoded(code, pixels)


@pytest.mark.parametrize(("samples", "bytes_per_sample"), [(1, 2), (3, 1)])
def test_another_number_of_segments_raises(samples, bytes_per_sample):
    with pytest.raises(ValueError, match="of 1 segments for"):
        decode_rle(frame(LITERAL), 3, samples=samples, bytes_per_sample=bytes_per_sample)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        frame(LITERAL)[:63],
        struct.pack("<16I", 0, *[0] * 15),
        struct.pack("<16I", 16, *[64] * 15),
        struct.pack("<16I", 1, 63, *[0] * 14) + LITERAL,
        struct.pack("<16I", 1, 10**6, *[0] * 14) + LITERAL,
        struct.pack("<16I", 2, 66, 64, *[0] * 13) + LITERAL,
    ],
)
def test_a_damaged_header_raises(content):
    with pytest.raises(ValueError, match="run-length code"):
        decode_rle(content, 3, samples=1, bytes_per_sample=1)
