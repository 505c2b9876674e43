"""Codestream: the size that a compressed image states itself, read before it is decoded.

A decoder allocates what the codestream states, whatever the DICOM header says. JPEG and JPEG-LS:
ITU-T T.81 section B.2.2 and T.87 section C.2.2; JPEG 2000: ITU-T T.800 section A.5.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ITEM = (0xFFFE, 0xE000)
_JPEG_START = b"\xff\xd8"
_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


def stated_sizes(pixel_data: bytes) -> Iterator[tuple[int, int]]:
    """The rows and columns that each codestream of encapsulated pixel data states.

    Args:
        pixel_data: the items of the pixel data element (PS3.5 section A.4), offset table included.
            A fragment that begins no codestream, or whose size cannot be told, is passed over.

    Example:
        >>> item = b"\\xfe\\xff\\x00\\xe0\\x0b\\x00\\x00\\x00"
        >>> frame = b"\\xff\\xd8\\xff\\xc0\\x00\\x0b\\x08\\x00\\x02\\x00\\x03"
        >>> list(stated_sizes(item + frame))
        [(2, 3)]
    """
    view, at = memoryview(pixel_data), 0
    while at + 8 <= len(view):
        group, element, length = struct.unpack_from("<HHI", view, at)
        if (group, element) != _ITEM:
            return
        size = _stated_size(view[at + 8 : at + 8 + length])
        if size is not None and min(size) > 0:
            yield size
        at += 8 + length


def _stated_size(fragment: memoryview) -> tuple[int, int] | None:
    try:
        if fragment[:4] == _JPEG_2000_START:
            right, bottom, left, top = struct.unpack_from(">4I", fragment, 8)
            return bottom - top, right - left
        return _jpeg_size(fragment) if fragment[:2] == _JPEG_START else None
    except struct.error:  # ends within its header; the decoder will say so
        return None


def _jpeg_size(fragment: memoryview) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header."""
    at = 2
    while True:
        mark, code = struct.unpack_from(">BB", fragment, at)
        if mark != 0xFF:
            return None
        if code in _JPEG_FRAMES:
            rows, columns = struct.unpack_from(">HH", fragment, at + 5)
            return rows, columns
        if code == 0xFF or code in _JPEG_WITHOUT_LENGTH:  # 0xFF before a marker fills up
            at += 1 if code == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", fragment, at + 2)
        at += 2 + length
