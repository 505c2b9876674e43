"""Pixel element: find the pixel data of a file and count its bytes, without reading them.

PS3.5 section 7.1 (explicit and implicit element headers) and A.4 (encapsulated fragments).
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from medseg.ingest.part10 import Part10
from medseg.ingest.slice import PixelData

_UNDEFINED_LENGTH = 0xFFFFFFFF


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


def _measure_fragments(stream: BinaryIO, size: int) -> PixelData:
    """Walk the items of encapsulated pixel data to the delimiter that must end them."""
    offset = stream.tell()
    while True:
        item = stream.read(8)
        if len(item) < 8:
            return _fragments(offset, stream.tell() - offset, missing_bytes=8 - len(item))
        group, element, length = struct.unpack("<HHI", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return _fragments(offset, stream.tell() - offset)
        if (group, element) != (0xFFFE, 0xE000):
            raise ValueError("encapsulated pixel data holds something that is no item")
        end = stream.tell() + length
        if end > size:
            return _fragments(offset, size - offset, missing_bytes=end - size)
        stream.seek(end)


def _fragments(offset: int, length: int, *, missing_bytes: int = 0) -> PixelData:
    return PixelData(offset, length, missing_bytes=missing_bytes, is_encapsulated=True)
