"""Pixel element: find the pixel data of a file and count its bytes, without reading them.

PS3.5 section 7.1 (explicit and implicit element headers) and A.4 (encapsulated fragments).
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from medseg.ingest.part10 import Part10
from medseg.ingest.slice import PixelData

MAX_PADDING_BYTES = 2**17
"""Zeros at the end are counted so far: more than one row of 16-bit pixels has."""

_UNDEFINED_LENGTH = 0xFFFFFFFF
_CODESTREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG and JPEG-LS, JPEG 2000
_MOST_RLE_SEGMENTS = 15
_RLE_HEADER_BYTES = 64


def measure_pixels(parsed: Part10) -> PixelData | None:
    """Measure the element that starts at the position of the stream; None where it is no pixels.

    Raises:
        ValueError: encapsulated pixel data that is no sequence of items.
    """
    stream = parsed.stream
    order = "<" if parsed.syntax.is_little_endian else ">"
    header = stream.read(8 if parsed.is_implicit else 12)
    if len(header) < 8 or header[:4] != struct.pack(order + "HH", 0x7FE0, 0x0010):
        return None
    (length,) = struct.unpack(order + "I", header[-4:])
    start, size = stream.tell(), stream.seek(0, os.SEEK_END)
    stream.seek(start)
    if length == _UNDEFINED_LENGTH:
        return _measure_fragments(stream, size)
    offset = None if parsed.syntax.is_deflated else start
    return PixelData(offset, length, missing_bytes=max(0, start + length - size))


def zeros_at_end(stream: BinaryIO, pixels: PixelData) -> int:
    """Count the zero bytes that end uncompressed pixels, up to `MAX_PADDING_BYTES`.

    Deflated pixels have no place in the file, and none are counted.
    """
    if pixels.offset is None:
        return 0
    size = min(pixels.length, MAX_PADDING_BYTES)
    stream.seek(pixels.offset + pixels.length - size)
    end = stream.read(size)
    return len(end) - len(end.rstrip(b"\0"))


def _measure_fragments(stream: BinaryIO, size: int) -> PixelData:
    """Walk the items of encapsulated pixel data to the delimiter that must end them."""
    offset, codestreams = stream.tell(), 0
    while True:
        item = stream.read(8)
        if len(item) < 8:
            return _fragments(offset, stream.tell() - offset, missing_bytes=8 - len(item))
        group, element, length = struct.unpack("<HHI", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return _fragments(offset, stream.tell() - offset, codestreams=codestreams)
        if (group, element) != (0xFFFE, 0xE000):
            raise ValueError("encapsulated pixel data holds something that is no item")
        end = stream.tell() + length
        if end > size:
            return _fragments(offset, size - offset, missing_bytes=end - size)
        codestreams += _begins_a_frame(stream.read(min(length, 8)))
        stream.seek(end)


def _begins_a_frame(fragment: bytes) -> bool:
    """Whether a fragment begins like a codestream or a run-length code, and goes on with none."""
    if fragment.startswith(_CODESTREAM_STARTS):
        return True
    if len(fragment) < 8:
        return False
    segments, first_offset = struct.unpack("<II", fragment)
    return 0 < segments <= _MOST_RLE_SEGMENTS and first_offset == _RLE_HEADER_BYTES


def _fragments(
    offset: int, length: int, *, missing_bytes: int = 0, codestreams: int = 0
) -> PixelData:
    return PixelData(
        offset,
        length,
        missing_bytes=missing_bytes,
        is_encapsulated=True,
        codestreams=codestreams,
    )
