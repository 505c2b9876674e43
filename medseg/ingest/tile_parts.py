"""Tile parts: whether a JPEG 2000 codestream has the tiles that its size asks for.

ITU-T T.800 sections A.4.2 and A.5.1: the image is laid out in tiles, and each part of a tile begins
with its index and its length. Where the stated size was raised, tiles are missing, which decoders
fill with zeros without a word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from medseg.ingest.codestream import begin_of_jpeg_2000

_START_OF_TILE, _END, _FIRST_MARKER = 0xFF90, 0xFFD9, 0xFF00
_SIZE_PLACE, _SIZES = 8, ">8I"
_TILE_HEADER_BYTES = 12
_MOST_TILES = 65535  # their index has 16 bits


def missing_tiles(frame: bytes) -> tuple[int, int]:
    """How many tiles a codestream lacks, and how many its size asks for; (0, 0) where unknown.

    Args:
        frame: a JPEG 2000 codestream, also in the boxes of a file, or another codestream.

    Example:
        >>> missing_tiles(b"\\xff\\xd8")
        (0, 0)
    """
    begins = begin_of_jpeg_2000(memoryview(frame))
    if begins < 0:
        return 0, 0
    try:
        asked = _asked_tiles(frame, begins)
        if not 0 < asked <= _MOST_TILES:
            return asked, asked
        found = {index for index in _tiles(frame, begins + 2) if index < asked}
    except struct.error:  # ends within a header; the decoder will say so
        return 0, 0
    return asked - len(found), asked


def _asked_tiles(frame: bytes, begins: int) -> int:
    """The tiles of the reference grid that hold a part of the image."""
    place = begins + _SIZE_PLACE
    right, bottom, _, _, width, height, left, top = struct.unpack_from(_SIZES, frame, place)
    if not width or not height:
        return 0
    return max(0, -(-(right - left) // width)) * max(0, -(-(bottom - top) // height))


def _tiles(frame: bytes, at: int) -> Iterator[int]:
    """The index of the tile of each part, walked to the end of the codestream."""
    while at + 4 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == _END or marker < _FIRST_MARKER or length < 2:
            return
        if marker != _START_OF_TILE:
            at += 2 + length
            continue
        index, part_length = struct.unpack_from(">HI", frame, at + 4)
        yield index
        if part_length < _TILE_HEADER_BYTES:  # 0: the last part, to the end
            return
        at += part_length
