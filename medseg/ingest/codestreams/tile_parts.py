"""Tile parts: count the tiles that a JPEG 2000 codestream lacks for its size.

ITU-T T.800 sections A.4.2 and A.5.1: the image is laid out in tiles, and each part of a tile begins
with its index and its length. Where the stated size was raised, tiles are missing. Decoders fill
them with zeros and do not report it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from medseg.ingest.codestreams.codestream import find_jpeg_2000

_START_OF_TILE, _END, _FIRST_MARKER = 0xFF90, 0xFFD9, 0xFF00
_SIZE_PLACE, _SIZES = 8, ">8I"
TILE_HEADER_BYTES = 12  # of its first marker segment
_START_BYTES = 2
_MOST_TILES = 65535  # their index has 16 bits


@dataclass(frozen=True)
class TilePart:
    """One part of a tile.

    Attributes:
        index: of the tile.
        start: byte of the codestream, or of what it lies in, at which the part begins.
        length: in bytes, its header included.
        is_length_stated: False for a last part that goes on to the end of the codestream.
    """

    index: int
    start: int
    length: int
    is_length_stated: bool = True


def count_missing_tiles(frame: bytes) -> tuple[int, int]:
    """Count the tiles that a codestream lacks, and those of its size; (0, 0) where unknown.

    Args:
        frame: a JPEG 2000 codestream, also in the boxes of a file, or another codestream.

    Example:
        >>> count_missing_tiles(b"\\xff\\xd8")
        (0, 0)
    """
    begins = find_jpeg_2000(memoryview(frame))
    if begins < 0:
        return 0, 0
    try:
        asked = _count_asked_tiles(frame, begins)
        if not 0 < asked <= _MOST_TILES:
            return asked, asked
        found = {part.index for part in find_tile_parts(frame, begins) if part.index < asked}
    except struct.error:  # it ends within a header, which the decoder will report
        return 0, 0
    return asked - len(found), asked


def find_tile_parts(frame: bytes, begins: int = 0) -> Iterator[TilePart]:
    """Find the parts of the tiles, one after the other, to the end of the codestream.

    Args:
        frame: a JPEG 2000 codestream, also in the boxes of a file.
        begins: byte at which the codestream begins.

    Raises:
        struct.error: it ends within the header of a part.
    """
    at = begins + _START_BYTES
    while at + 4 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == _END or marker < _FIRST_MARKER or length < 2:
            return
        if marker != _START_OF_TILE:
            at += 2 + length
            continue
        index, part_length = struct.unpack_from(">HI", frame, at + 4)
        if part_length < TILE_HEADER_BYTES:  # 0: the last part, to the end
            end = max(at, frame.rfind(_END.to_bytes(2, "big")))
            yield TilePart(index, at, end - at, is_length_stated=False)
            return
        yield TilePart(index, at, part_length)
        at += part_length


def _count_asked_tiles(frame: bytes, begins: int) -> int:
    """Count the tiles of the reference grid that hold a part of the image."""
    place = begins + _SIZE_PLACE
    right, bottom, _, _, width, height, left, top = struct.unpack_from(_SIZES, frame, place)
    if not width or not height:
        return 0
    return max(0, -(-(right - left) // width)) * max(0, -(-(bottom - top) // height))
