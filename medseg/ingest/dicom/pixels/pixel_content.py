"""Pixel content: recognise pixel data by its own bytes, to compare with its transfer syntax.

A codestream begins with a signature that says what it is: JPEG with the marker of its frame header
(ITU-T T.81 table B.1, T.87), JPEG 2000 with SOC and SIZ (T.800 section A.5.1). A run-length code
begins with a table of 16 numbers (PS3.5 section G.5).
"""

from __future__ import annotations

import struct
from itertools import pairwise

from pydicom import uid

from medseg.ingest.codestreams.codestream import read_frame_marker

JPEG, LOSSLESS_JPEG, JPEG_LS = "JPEG", "lossless JPEG", "JPEG-LS"
JPEG_2000, RLE = "JPEG 2000", "run-length code"

HEAD_BYTES = 2**16
"""So many bytes of a fragment are enough to recognise it."""

RLE_HEADER_BYTES = 64

_CONTENT = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit), JPEG),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), LOSSLESS_JPEG),
    **dict.fromkeys(uid.JPEGLSTransferSyntaxes, JPEG_LS),
    **dict.fromkeys(uid.JPEG2000TransferSyntaxes, JPEG_2000),  # high throughput included
    uid.RLELossless: RLE,
}
"""The content of the frames of each compressed transfer syntax that is checked."""

_JPEG_2000_STARTS = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")  # the codestream, and one in a file
_JPEG_START = b"\xff\xd8\xff"
_LOSSLESS_MARKERS = (0xC3, 0xC7, 0xCB, 0xCF)
_JPEG_LS_MARKER = 0xF7
_MOST_RLE_SEGMENTS = 15


def recognise_content(head: bytes) -> str:
    """Name the codestream that begins with these bytes; "" where it is none of those above.

    Args:
        head: the first `HEAD_BYTES`, or all where there are fewer.

    Example:
        >>> recognise_content(bytes.fromhex("ff4fff51")), recognise_content(bytes(64))
        ('JPEG 2000', '')
    """
    if head.startswith(_JPEG_2000_STARTS):
        return JPEG_2000
    if not head.startswith(_JPEG_START):
        return RLE if _begins_rle(head) else ""
    marker = read_frame_marker(memoryview(head))
    if marker == _JPEG_LS_MARKER:
        return JPEG_LS
    return LOSSLESS_JPEG if marker in _LOSSLESS_MARKERS else JPEG


def matches_syntax(content: str, syntax: uid.UID) -> bool:
    """Whether a frame of this content may be one of a compressed transfer syntax.

    Example:
        >>> matches_syntax(JPEG_2000, uid.RLELossless), matches_syntax(JPEG_2000, uid.HTJ2K)
        (False, True)
    """
    return _CONTENT.get(syntax, content) == content


def is_rle_table(head: bytes) -> bool:
    """Whether bytes are the whole table of a run-length code; plain samples never are.

    The table holds the number of segments and their places: the first right behind the table, the
    others in ascending order, and zeros for segments that do not exist.
    """
    if len(head) < RLE_HEADER_BYTES or not _begins_rle(head):
        return False
    count, *offsets = struct.unpack_from("<16I", head)
    is_ordered = all(first < second for first, second in pairwise(offsets[:count]))
    return is_ordered and not any(offsets[count:])


def _begins_rle(head: bytes) -> bool:
    if len(head) < 8:
        return False
    segments, first_offset = struct.unpack_from("<II", head)
    return 0 < segments <= _MOST_RLE_SEGMENTS and first_offset == RLE_HEADER_BYTES
