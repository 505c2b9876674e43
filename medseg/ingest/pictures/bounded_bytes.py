"""Picture bytes: a picture file read in no more pieces than pictures have.

What surrounds pixels may take far longer to read than they: a million empty comments, thousands of
colour profiles that inflate to a megabyte each, tables of strips that are not there. Pillow goes
through all of it in Python, so it is counted here.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

from medseg.ingest.reasons import IngestError, Reason

FREE_PIECES, BYTES_PER_PIECE = 2**17, 256
"""A file may be read in this many pieces, and one more for each 256 bytes: PNG has 8192 in one."""

MOST_HEADER_BYTES = 2**24
"""At most this many bytes may precede the pixels, except in TIFF: the limit of JPEG profiles."""

MOST_FRAMES_COUNTED = 100

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF_ORDERS = {b"II": "<", b"MM": ">"}
_TIFF, _BIG_TIFF = 42, 43
_TABLES_OF_PLACES = (273, 324)  # StripOffsets, TileOffsets
_SHORT_READ = 2**16


class PictureBytes(io.BufferedReader):
    """A file of which each read counts, for Pillow.

    Args:
        path: the file.

    Raises:
        IngestError: "too-large" while it is read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._path = path
        self._pieces = FREE_PIECES + os.fstat(self.fileno()).st_size // BYTES_PER_PIECE
        self.header_bytes: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        self._pieces -= 1
        if self._pieces < 0:
            finding = f"{self._path} is split into more pieces than a picture of its size"
            raise IngestError(Reason.TOO_LARGE, finding)
        content = super().read(size)
        if self.header_bytes is not None:
            self.header_bytes -= len(content)
            if self.header_bytes < 0:
                finding = (
                    f"{self._path} holds more than {MOST_HEADER_BYTES} bytes before its pixels"
                )
                raise IngestError(Reason.TOO_LARGE, finding)
        return content


def open_picture(path: Path) -> PictureBytes:
    """Open a file at its start, where its parts can be those of one picture.

    Raises:
        IngestError: "unreadable" for a PNG of several colour profiles; "too-large" for a TIFF of
            more strips or tiles than `FREE_PIECES`, and later, when it is read.
        EOFError: a TIFF whose directory is cut.
    """
    file = PictureBytes(path)
    try:
        head = file.read(len(_PNG))
        if head == _PNG:
            _check_profiles(file, path)
        elif head[:2] in _TIFF_ORDERS:
            _check_places(file, path)
        file.seek(0)
        file.header_bytes = None if head[:2] in _TIFF_ORDERS else MOST_HEADER_BYTES
    except BaseException:
        file.close()
        raise
    return file


def count_tiff_frames(file: PictureBytes) -> int:
    """How many directories a TIFF has, counted to `MOST_FRAMES_COUNTED`, which Pillow reads whole.

    Raises:
        EOFError: a directory is cut.
    """
    place, seen = _find_first_directory(file), set[int]()
    while place and place not in seen and len(seen) < MOST_FRAMES_COUNTED:
        seen.add(place)
        _, place = _read_directory(file, place)
    return max(1, len(seen))


def _check_profiles(file: PictureBytes, path: Path) -> None:
    """Refuse a second colour profile, which Pillow would inflate like the first."""
    profiles = 0
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IEND":
            break
        profiles += kind == b"iCCP"
        file.seek(length + 4, os.SEEK_CUR)
    if profiles > 1:
        finding = f"{path} holds {profiles} colour profiles, a PNG has one"
        raise IngestError(Reason.UNREADABLE, finding)


def _check_places(file: PictureBytes, path: Path) -> None:
    """Refuse tables of more strips or tiles than pictures have."""
    if not (place := _find_first_directory(file)):
        return
    counts, _ = _read_directory(file, place)
    most = max((counts.get(tag, 0) for tag in _TABLES_OF_PLACES), default=0)
    if most > FREE_PIECES:
        finding = f"{path} states {most} strips or tiles, more than {FREE_PIECES}"
        raise IngestError(Reason.TOO_LARGE, finding)


def _find_first_directory(file: PictureBytes) -> int:
    """Where the first directory lies; 0 for what is no TIFF."""
    file.seek(0)
    head = file.read(16)
    order = _TIFF_ORDERS.get(head[:2], "<")
    if len(head) < 8 or head[:2] not in _TIFF_ORDERS:
        return 0
    (version,) = struct.unpack_from(order + "H", head, 2)
    if version == _TIFF:
        return int(struct.unpack_from(order + "I", head, 4)[0])
    if version == _BIG_TIFF and len(head) == 16:
        return int(struct.unpack_from(order + "Q", head, 8)[0])
    return 0


def _read_directory(file: PictureBytes, place: int) -> tuple[dict[int, int], int]:
    """The number of values of each tag of a directory, and where the next one lies."""
    file.seek(0)
    head = file.read(4)
    order = _TIFF_ORDERS[head[:2]]
    is_big = struct.unpack(order + "H", head[2:])[0] == _BIG_TIFF
    length, entry, last = ("Q", "HHQ8x", "Q") if is_big else ("H", "HHI4x", "I")
    file.seek(place)
    (count,) = struct.unpack(order + length, _read_exactly(file, struct.calcsize(order + length)))
    size = struct.calcsize(order + entry)
    if count > _SHORT_READ:
        raise EOFError("a directory of more entries than there are tags")
    entries = struct.iter_unpack(order + entry, _read_exactly(file, count * size))
    counts = {tag: number for tag, _, number in entries}
    (following,) = struct.unpack(order + last, _read_exactly(file, struct.calcsize(order + last)))
    return counts, int(following)


def _read_exactly(file: PictureBytes, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("a directory is cut")
    return content
