"""Inflated: a deflated data set that is inflated only as far as it is read, and not kept.

PS3.5 section A.5: what follows the file meta information is one deflate stream, without a zlib
header. A byte of it can stand for a thousand, so the header is read as far as it goes, pixels are
read a plane at a time, and both have a limit.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from medseg.ingest.reasons import IngestError, Reason

FREE_HEADER_BYTES, MAX_HEADER_BYTES, MAX_HEADER_RATIO = 2**22, 2**26, 200
"""A header may inflate to the first of these, and to the second where the file is large enough.

The functional groups of 20,000 frames take about the second, and deflate to a fiftieth.
"""

DEFLATE_RATIO = 1032
"""The most bytes that one byte of a deflate stream can stand for (zlib, "Technical Details")."""

_ITEM_TAG = b"\xfe\xff\x00\xe0"
_CHUNK_BYTES = 2**14
_LEAST_INFLATED = 2**15  # at once: what is left of a chunk is copied each time
_KEPT_BYTES = 2**17
"""A reader may go back this far: pydicom looks at a few bytes or one block twice."""


def limit_header_bytes(path: Path) -> int:
    """Find the limit of bytes to which the header of a deflated file may inflate."""
    return min(MAX_HEADER_BYTES, max(FREE_HEADER_BYTES, MAX_HEADER_RATIO * path.stat().st_size))


class InflatedStream:
    """A readable stream of the inflated bytes, which goes forwards and a little way back.

    Args:
        file: open where the deflate stream begins.
        path: what to call it in messages.
        most_bytes: the stream may give this many bytes.
        free_bytes: beyond so many it may give `MAX_HEADER_RATIO` bytes for each that was read of
            the file, so that what was made to fill memory is known early; None sets no such bound.
        check_items: asked with the number of sequence items at each, and the path.
        check_reads: asked with the number of reads at each, that of items, and the path.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        *,
        most_bytes: int,
        free_bytes: int | None = None,
        check_items: Callable[[int, Path], None] = lambda *_: None,
        check_reads: Callable[[int, int, Path], None] = lambda *_: None,
    ) -> None:
        self._file, self._path, self._most = file, path, most_bytes
        self._free = most_bytes if free_bytes is None else free_bytes
        self._items, self._check_items = 0, check_items
        self._reads, self._check_reads = 0, check_reads
        self._size = self._left = max(0, os.fstat(file.fileno()).st_size - file.tell())
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._kept, self._start, self._at = bytearray(), 0, 0

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, fewer at the end; all of them where it is negative.

        Raises:
            IngestError: "truncated" where the stream is cut, "too-large" beyond `most_bytes`.
            zlib.error: the stream is damaged.
        """
        self._reads += 1
        self._check_reads(self._reads, self._items, self._path)
        end = self._most + 1 if size < 0 else self._at + size
        self._check_stated(end)
        while self._end < end and self._inflate(end - self._end):
            pass
        content = bytes(self._kept[self._at - self._start : end - self._start])
        self._at += len(content)
        self._forget()
        if size == len(_ITEM_TAG) * 2 and content.startswith(_ITEM_TAG):
            self._items += 1
            self._check_items(self._items, self._path)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, which may lie `_KEPT_BYTES` back; bytes before one ahead are inflated.

        Raises:
            ValueError: farther back, or counted from the end.
        """
        place = offset + (self._at if whence == os.SEEK_CUR else 0)
        if whence == os.SEEK_END or place < self._start:
            raise ValueError("a deflate stream is read forwards")
        self._check_stated(place)
        while self._end < place and self._inflate(_LEAST_INFLATED):
            self._at = self._end
            self._forget()
        self._at = min(place, self._end)
        return self._at

    def tell(self) -> int:
        """The number of inflated bytes before the place."""
        return self._at

    def count_missing_bytes(self, length: int) -> int:
        """How many of the `length` bytes from here on the file cannot hold, uninflated."""
        most = self._end - self._at + DEFLATE_RATIO * self.compressed_bytes
        return max(0, length - most)

    @property
    def compressed_bytes(self) -> int:
        """How many bytes of the file are left to inflate."""
        return self._left + len(self._pending)

    @property
    def _end(self) -> int:
        return self._start + len(self._kept)

    @property
    def _pending(self) -> bytes:
        return self._inflater.unconsumed_tail

    def _inflate(self, wanted: int) -> bool:
        """Append some bytes, about `wanted`; False at the end of the stream."""
        if self._inflater.eof:
            return False
        compressed = self._pending or self._file.read(_CHUNK_BYTES)
        self._left = max(0, self._left - (0 if self._pending else len(compressed)))
        if not compressed:
            finding = f"deflated data set of {self._path} ends early"
            raise IngestError(Reason.TRUNCATED, finding)
        self._kept += self._inflater.decompress(compressed, max(wanted, _LEAST_INFLATED))
        taken = self._size - self.compressed_bytes
        self._check_most(self._end, min(self._most, max(self._free, MAX_HEADER_RATIO * taken)))
        return True

    def _check_stated(self, place: int) -> None:
        """Refuse to go beyond the limit, unless the file is too short for that: it is cut then."""
        if place > self._at and not self.count_missing_bytes(place - self._at):
            self._check_most(place, self._most)

    def _check_most(self, size: int, most: int) -> None:
        if size > most:
            finding = f"{self._path} inflates to more than the {most} bytes it may hold"
            raise IngestError(Reason.TOO_LARGE, finding)

    def _forget(self) -> None:
        """Let go of what lies far behind."""
        excess = self._at - _KEPT_BYTES - self._start
        if excess > _KEPT_BYTES:
            del self._kept[:excess]
            self._start += excess
