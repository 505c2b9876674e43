"""Tile end: whether a JPEG 2000 codestream needs the last bytes of its tiles.

Where the size of image and tile was changed, the packets are taken apart in a wrong way, and noise
comes of it without a word. It ends far from the end of the tile, which is tried: a codestream that
is right is refused by the decoder when its tile is cut, before any sample is decoded.
"""

from __future__ import annotations

import struct

from medseg.ingest.codestreams.codestream import begin_of_jpeg_2000
from medseg.ingest.codestreams.tile_parts import TILE_HEADER_BYTES, TilePart, tile_parts

_CUTS = (1, 4, 16, 32, 63, 64)  # bytes; some encoders leave a dozen unused
_PART_LENGTH_PLACE = 6
_START_OF_DATA_BYTES = 2
_EMPTY_PACKETS = b"\0\x80"  # each has one byte, of which the first bit or none is set


def check_tile_end(frame: bytes) -> None:
    """Refuse a JPEG 2000 codestream whose first tile has more bytes than its packets take.

    One tile is looked at. Up to 64 unused bytes are let pass, and so is a tile of less than 128.
    Another codestream is passed over.

    Raises:
        ValueError: the tile decodes without its end.

    Example:
        >>> check_tile_end(b"\\xff\\xd8")
    """
    begins = begin_of_jpeg_2000(memoryview(frame))
    if begins < 0:
        return
    try:
        parts = list(tile_parts(frame, begins))
    except struct.error:  # ends within a header; the decoder will say so
        return
    last = [part for part in parts if part.index == parts[0].index][-1:]
    shorter = (_without_end(frame, part, cut) for part in last for cut in _CUTS)
    if last and all(content and _decodes(content[begins:]) for content in shorter):
        raise ValueError("the codestream has bytes that its size leaves no place for")


def _without_end(frame: bytes, part: TilePart, cut: int) -> bytes:
    """The frame less the last bytes of a part; empty where these are most of it.

    Without the empty packets at its end a tile decodes too, as where it is cut between two packets.
    """
    start, end = part.start + TILE_HEADER_BYTES + _START_OF_DATA_BYTES, part.start + part.length
    kept = start + len(frame[start:end].rstrip(_EMPTY_PACKETS)) - cut
    if kept - start < cut:
        return b""
    shorter = bytearray(frame[:kept] + frame[end:])
    if part.is_length_stated:
        struct.pack_into(">I", shorter, part.start + _PART_LENGTH_PLACE, kept - part.start)
    return bytes(shorter)


def _decodes(codestream: bytes) -> bool:
    from openjpeg.utils import decode

    try:
        decode(codestream)
    except RuntimeError:
        return False
    return True
