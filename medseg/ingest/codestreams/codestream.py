"""Codestream: read what a compressed image states about itself, before it is decoded.

A decoder allocates the size that the codestream states, and returns samples of the depth that it
states, whatever the DICOM header says. JPEG and JPEG-LS: ITU-T T.81 section B.2.2 and T.87 section
C.2.2; JPEG 2000: ITU-T T.800 section A.5.1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff])")
"""A marker of a JPEG, with the bytes that fill up before it; its group is the code (T.81 B.1.1)."""

_ITEM = (0xFFFE, 0xE000)
_JPEG_START = b"\xff\xd8"
_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_JPEG_2000_FILE = b"\0\0\0\x0cjP  "  # boxes round a codestream
_MOST_BOXES_BYTES = 2**16
_CODING_STYLE, _START_OF_TILE, _FIRST_MARKER = 0xFF52, 0xFF90, 0xFF00
_TRANSFORMATION, _IRREVERSIBLE = 13, 0  # bytes behind the marker of the coding style
_SIGN_BIT = 0x80  # of the depth of a JPEG 2000 component


@dataclass(frozen=True)
class Codestream:
    """The statements of one codestream.

    Attributes:
        size: its rows and columns.
        bits: the depth of its samples, those of the first component.
        is_signed: whether they have a sign. JPEG and JPEG-LS have no word for it: they store two's
            complement like any other number.
        samples: for each pixel, 1 for grey and 3 for colour.
    """

    size: tuple[int, int]
    bits: int
    is_signed: bool = False
    samples: int = 1


def find_codestreams(pixel_data: bytes) -> Iterator[Codestream]:
    """Read what each codestream of encapsulated pixel data states.

    Args:
        pixel_data: the items of the pixel data element (PS3.5 section A.4), offset table included.
            A fragment that begins no codestream, or whose size is not known, is left out.
            A run-length code states nothing.

    Example:
        >>> item = b"\\xfe\\xff\\x00\\xe0\\x0c\\x00\\x00\\x00"
        >>> frame = b"\\xff\\xd8\\xff\\xc0\\x00\\x0b\\x08\\x00\\x02\\x00\\x03\\x01"
        >>> list(find_codestreams(item + frame))
        [Codestream(size=(2, 3), bits=8, is_signed=False, samples=1)]
    """
    view, at = memoryview(pixel_data), 0
    while at + 8 <= len(view):
        group, element, length = struct.unpack_from("<HHI", view, at)
        if (group, element) != _ITEM:
            return
        if (found := read_codestream(view[at + 8 : at + 8 + length])) is not None:
            yield found
        at += 8 + length


def read_codestream(fragment: bytes | memoryview) -> Codestream | None:
    """Read the codestream at the begin of a fragment; None where its size is not known."""
    found = _read_any(memoryview(fragment))
    return found if found is not None and min(found.size) > 0 else None


def is_irreversible(fragment: bytes) -> bool:
    """Whether a JPEG 2000 codestream uses the lossy 9-7 wavelet.

    The last byte of its coding style, COD, says so (ITU-T T.800 table A.20). False without a COD.

    Args:
        fragment: the codestream, or its beginning. It may lie in the boxes of a file.
    """
    at = fragment.find(_JPEG_2000_START) + 2
    while at >= 2 and at + 4 <= len(fragment):
        marker, length = struct.unpack_from(">HH", fragment, at)
        if marker == _CODING_STYLE:
            place = at + _TRANSFORMATION
            return place < len(fragment) and fragment[place] == _IRREVERSIBLE
        if marker == _START_OF_TILE or marker < _FIRST_MARKER or length < 2:
            return False
        at += 2 + length
    return False


def read_frame_marker(fragment: memoryview) -> int:
    """Read the marker of the frame header of a JPEG or JPEG-LS, its process; 0 where unknown.

    Example:
        >>> hex(read_frame_marker(memoryview(b"\\xff\\xd8\\xff\\xf7\\x00\\x0b")))
        '0xf7'
    """
    try:
        found = _find_frame_header(fragment)
    except struct.error:
        return 0
    return 0 if found is None else found[0]


def read_size(fragment: bytes) -> tuple[int, int] | None:
    """Read the rows and columns that a codestream states; None where it states none."""
    found = _read_any(memoryview(fragment))
    return None if found is None else found.size


def find_jpeg_2000(fragment: memoryview) -> int:
    """Find the first byte of a JPEG 2000 codestream, also in the boxes of a file; -1 if none."""
    if fragment[:8] == _JPEG_2000_FILE:
        return bytes(fragment[:_MOST_BOXES_BYTES]).find(_JPEG_2000_START)
    return 0 if fragment[:4] == _JPEG_2000_START else -1


def _read_any(fragment: memoryview) -> Codestream | None:
    try:
        if (begins := find_jpeg_2000(fragment)) >= 0:
            return _read_jpeg_2000(fragment[begins:])
        return _read_jpeg(fragment) if fragment[:2] == _JPEG_START else None
    except struct.error:  # it ends within its header, which the decoder will report
        return None


def _read_jpeg_2000(fragment: memoryview) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", fragment, 8)
    samples, depth = struct.unpack_from(">HB", fragment, 40)
    return Codestream(
        (bottom - top, right - left),
        bits=(depth & ~_SIGN_BIT) + 1,
        is_signed=bool(depth & _SIGN_BIT),
        samples=samples,
    )


def _read_jpeg(fragment: memoryview) -> Codestream | None:
    found = _find_frame_header(fragment)
    if found is None:
        return None
    bits, rows, columns, samples = struct.unpack_from(">BHHB", fragment, found[1] + 4)
    return Codestream((rows, columns), bits=bits, samples=samples)


def _find_frame_header(fragment: memoryview) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header; return its code and its place."""
    at = 2
    while True:
        mark, code = struct.unpack_from(">BB", fragment, at)
        if mark != 0xFF:
            return None
        if code in _JPEG_FRAMES:
            return code, at
        if code == 0xFF or code in _JPEG_WITHOUT_LENGTH:  # 0xFF before a marker fills up
            at += 1 if code == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", fragment, at + 2)
        at += 2 + length
