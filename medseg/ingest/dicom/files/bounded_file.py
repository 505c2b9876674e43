"""Bounded file: a DICOM file of which no lying length, item or element takes more than it holds."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medseg.ingest.dicom.files.inflated import MAX_HEADER_BYTES
from medseg.ingest.reasons import IngestError, Reason

FREE_ITEMS, BYTES_PER_ITEM = 2**15, 256
"""A file may hold this many items, and one more for each 256 bytes: frames have ten each."""

FREE_READS, READS_PER_ITEM = 2**14, 32
"""The header of a file may be read in this many pieces, and 32 more for each item: an element takes
one to three, data sets have a few hundred elements, seldom thousands, and items a few."""

ITEM_HEADER_BYTES, ITEM_TAGS = 8, (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""An item begins with its tag, in either byte order, and its length (PS3.5 section 7.5)."""

_SMALL_READ = 4096


class BoundedFile(io.BufferedReader):
    """A file of which no read allocates more than what is left of it.

    While a header is read, its bytes are counted: a length that is stated, or an end that never
    comes, would else take as much memory as the file is long. What is passed over does not count.
    Each item of a sequence becomes a data set, which takes hundreds of times the bytes of an empty
    one: items are counted too, see `check_items`, and so is each read, see `check_reads`.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._path = path
        self._items = self._reads = 0
        self._bytes_left: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes.

        Raises:
            IngestError: "too-large".
        """
        if size is not None and size > _SMALL_READ:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        if self._bytes_left is not None:
            self._bytes_left -= _SMALL_READ if size is None or size < 0 else size
            if self._bytes_left < 0:
                finding = f"{self._path} holds more than {MAX_HEADER_BYTES} bytes before its pixels"
                raise IngestError(Reason.TOO_LARGE, finding)
            self._reads += 1
            check_reads(self._reads, self._items, self._path)
        content = super().read(size)
        if size == ITEM_HEADER_BYTES and content.startswith(ITEM_TAGS):
            self._items += 1
            check_items(self._items, self._path)
        return content

    @contextmanager
    def limit_header(self) -> Iterator[None]:
        """Hold the file to `MAX_HEADER_BYTES` while its header is read."""
        self._bytes_left = MAX_HEADER_BYTES
        try:
            yield
        finally:
            self._bytes_left = None


def check_items(count: int, path: Path) -> None:
    """Refuse a file of more sequence items than images of its size have.

    Raises:
        IngestError: "too-large".
    """
    if count > FREE_ITEMS and count > (most := FREE_ITEMS + path.stat().st_size // BYTES_PER_ITEM):
        finding = f"{path} holds more than {most} items of sequences or pixels"
        raise IngestError(Reason.TOO_LARGE, finding)


def check_reads(reads: int, items: int, path: Path) -> None:
    """Refuse a header of more elements than data sets have: each costs time, however small.

    Args:
        reads: how often the file was read.
        items: how many items of sequences were met.
        path: what to call it in messages.

    Raises:
        IngestError: "too-large".
    """
    if reads > FREE_READS + READS_PER_ITEM * items:
        finding = f"{path} holds more elements than a header has ({reads} parts, {items} items)"
        raise IngestError(Reason.TOO_LARGE, finding)
