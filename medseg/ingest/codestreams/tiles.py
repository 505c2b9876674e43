"""Tiles: check that a JPEG 2000 codestream has the tiles that its size asks for, and no less data.

ITU-T T.800 sections A.4.2 and A.5.1: the image is laid out in tiles, and each part of a tile begins
with its index and its length. Where the stated size was raised, tiles are missing. Decoders fill
them with zeros and do not report it. Where the size of the tile was changed too, the decoder splits
the packets wrongly and returns noise without an error. It then stops far before the end of the
tile. So the check cuts the tile: if the codestream is right, the decoder refuses the rest, before
it decodes any sample.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from medseg.ingest.codestreams.codestream import find_jpeg_2000

_START_OF_TILE, _END, _FIRST_MARKER = 0xFF90, 0xFFD9, 0xFF00
_SIZE_PLACE, _SIZES = 8, ">8I"
_TILE_HEADER_BYTES = 12  # of its first marker segment
_START_BYTES = 2
_MOST_TILES = 65535  # their index has 16 bits
_CUTS = (1, 4, 16, 32, 63, 64)  # bytes; some encoders leave a dozen unused
_PART_LENGTH_PLACE = 6
_START_OF_DATA_BYTES = 2
_EMPTY_PACKETS = b"\0\x80"  # each has one byte, of which the first bit or none is set


@dataclass(frozen=True)
class _Part:
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
        found = {part.index for part in _find_parts(frame, begins) if part.index < asked}
    except struct.error:  # it ends within a header, which the decoder will report
        return 0, 0
    return asked - len(found), asked


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
        parts = list(_find_parts(frame, begins))
    except struct.error:  # it ends within a header, which the decoder will report
        return
    last = [part for part in parts if part.index == parts[0].index][-1:]
    shorter = (_cut_end(frame, part, cut) for part in last for cut in _CUTS)
    if last and all(content and _is_decodable(content[begins:]) for content in shorter):
        raise ValueError("the codestream holds more bytes than an image of its size can use")


def _find_parts(frame: bytes, begins: int) -> Iterator[_Part]:
    """Find the parts of the tiles, one after the other, to the end of the codestream.

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
        if part_length < _TILE_HEADER_BYTES:  # 0: the last part, to the end
            end = max(at, frame.rfind(_END.to_bytes(2, "big")))
            yield _Part(index, at, end - at, is_length_stated=False)
            return
        yield _Part(index, at, part_length)
        at += part_length


def _count_asked_tiles(frame: bytes, begins: int) -> int:
    """Count the tiles of the reference grid that hold a part of the image."""
    place = begins + _SIZE_PLACE
    right, bottom, _, _, width, height, left, top = struct.unpack_from(_SIZES, frame, place)
    if not width or not height:
        return 0
    return max(0, -(-(right - left) // width)) * max(0, -(-(bottom - top) // height))


def _cut_end(frame: bytes, part: _Part, cut: int) -> bytes:
    """Cut the last bytes of a part off the frame; empty where that is most of the part.

    Empty packets at the end are cut too: a tile also decodes without them.
    """
    start, end = part.start + _TILE_HEADER_BYTES + _START_OF_DATA_BYTES, part.start + part.length
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
