"""Tests of medseg.ingest.codestreams.huffman_codes: free codes get a symbol, nothing else
changes."""

from __future__ import annotations

import struct
from itertools import accumulate

import numpy as np
import pytest
from ingest.jpeg_writer import jpeg, lossless, lossless_of_code, packed

from medseg.ingest.codestreams.huffman_codes import add_free_codes
from medseg.ingest.dicom.pixels.jpeg import decode_jpeg

STORED = np.random.default_rng(0).integers(0, 255, (40, 64)).astype(np.uint8)


def tables_of(frame):
    """Counts and symbols of each Huffman table before the scan."""
    at, found = 2, []
    while frame[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", frame, at + 2)
        segment = frame[at + 4 : at + 2 + length]
        while frame[at + 1] == 0xC4 and segment:
            end = 17 + sum(segment[1:17])
            found.append((list(segment[1:17]), segment[17:end]))
            segment = segment[end:]
        at += 2 + length
    return found


@pytest.mark.parametrize(
    "frame",
    [
        jpeg(STORED),
        jpeg(STORED, progressive=True),
        lossless(STORED),
        lossless(STORED, restart_rows=3),
    ],
)
def test_a_whole_image_stays_the_same(frame):
    changed = add_free_codes(frame)
    assert changed != frame
    np.testing.assert_array_equal(decode_jpeg(changed), decode_jpeg(frame))


def test_only_the_code_of_all_ones_is_left_and_the_codes_before_stay():
    """Of 32 codes of five bits 17 are taken; 14 more, and one of each greater length."""
    ((counts, symbols),) = tables_of(lossless(STORED))
    ((all_counts, all_symbols),) = tables_of(add_free_codes(lossless(STORED)))
    assert counts == [0, 0, 0, 0, 17, *[0] * 11]
    assert all_counts == [0, 0, 0, 0, 31, *[1] * 11]
    assert all_symbols == symbols + b"\1" * 25
    assert list(accumulate(n * 2 ** (15 - k) for k, n in enumerate(all_counts)))[-1] == 2**16 - 1


def test_a_free_code_changes_the_image():
    frame = lossless_of_code(packed("00000" + "10111" + "0" * 16 + "00000"), (1, 3))
    assert decode_jpeg(frame).tolist() != decode_jpeg(add_free_codes(frame)).tolist()


@pytest.mark.parametrize(
    "segment",
    [
        b"",
        b"\0",
        bytes(17),
        b"\0" + b"\xff" * 16,
        b"\0\1" + bytes(15),
        b"\0" + b"\3" * 16 + bytes(9),
    ],
)
def test_a_damaged_table_raises_nothing(segment):
    head = b"\xff\xd8\xff\xc4" + struct.pack(">H", len(segment) + 2) + segment
    assert add_free_codes(head + b"\xff\xd9").endswith(b"\xff\xd9")
    assert add_free_codes(head[:-1] + b"\xff\xd9").startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    "frame", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc4", b"\xff\xd8\xff\xc4\xff\xff"]
)
def test_a_frame_that_ends_in_its_header_stays_as_it_is(frame):
    assert add_free_codes(frame)[:2] == frame[:2]
