"""Tile end: check that a JPEG 2000 codestream needs the last bytes of its tile.

Where the size of image and tile was changed, the decoder splits the packets wrongly and returns
noise without an error. It then stops far before the end of the tile. So the check cuts the tile: if
the codestream is right, the decoder refuses the rest, before it decodes any sample.
"""

from __future__ import annotations

import struct

from medseg.ingest.codestreams.codestream import find_jpeg_2000
from medseg.ingest.codestreams.tile_parts import TILE_HEADER_BYTES, TilePart, find_tile_parts

_CUTS = (1, 4, 16, 32, 63, 64)  # bytes; some encoders leave a dozen unused
_PART_LENGTH_PLACE = 6
_START_OF_DATA_BYTES = 2
_EMPTY_PACKETS = b"\0\x80"  # each has one byte, of which the first bit or none is set


def check_tile_end(frame: bytes) -> None:
    """Refuse a JPEG 2000 codestream whose first tile has more bytes than its packets take.

    Only the first tile is checked. Up to 64 unused bytes are accepted, and so is a tile of less
    than 128 bytes, and any codestream that is not JPEG 2000.

    Raises:
        ValueError: the tile decodes without its end.

    Example:
        >>> check_tile_end(b"\\xff\\xd8")
    """
    begins = find_jpeg_2000(memoryview(frame))
    if begins < 0:
        return
    try:
        parts = list(find_tile_parts(frame, begins))
    except struct.error:  # it ends within a header, which the decoder will report
        return
    last = [part for part in parts if part.index == parts[0].index][-1:]
    shorter = (_cut_end(frame, part, cut) for part in last for cut in _CUTS)
    if last and all(content and _is_decodable(content[begins:]) for content in shorter):
        raise ValueError("the codestream has bytes that its size leaves no place for")


def _cut_end(frame: bytes, part: TilePart, cut: int) -> bytes:
    """Cut the last bytes of a part off the frame; empty where that is most of the part.

    Empty packets at the end are cut too: a tile also decodes without them.
    """
    start, end = part.start + TILE_HEADER_BYTES + _START_OF_DATA_BYTES, part.start + part.length
    kept = start + len(frame[start:end].rstrip(_EMPTY_PACKETS)) - cut
    if kept - start < cut:
        return b""
    shorter = bytearray(frame[:kept] + frame[end:])
    if part.is_length_stated:
        struct.pack_into(">I", shorter, part.start + _PART_LENGTH_PLACE, kept - part.start)
    return bytes(shorter)


def _is_decodable(codestream: bytes) -> bool:
    from openjpeg.utils import decode

    try:
        decode(codestream)
    except RuntimeError:
        return False
    return True
