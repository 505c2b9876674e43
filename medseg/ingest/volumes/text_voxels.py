"""Text voxels: voxels that are written as numbers in a text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import VolumeHeader
from medseg.ingest.volumes.streams import Stream, open_stream

_TEXT_BYTES, _LONGEST_NUMBER = 2**16, 400


def parse_text(header: VolumeHeader) -> np.ndarray:
    """Voxels that are written as numbers, with blanks, and commas at their side, between them."""
    (file,) = header.files
    count = header.size // header.dtype.itemsize
    voxels = np.empty(count, dtype=header.dtype)
    number = int if header.dtype.kind in "iu" else float
    found = 0
    with open_stream(file, start=header.packed_from + max(header.offset, 0)) as stream:
        for words in _read_words(stream, file):
            if found + len(words) > count:
                finding = f"{file} holds more numbers than the {count} that its header promises"
                raise IngestError(Reason.TRAILING_BYTES, finding)
            try:
                part = np.array([number(word) for word in words], dtype=header.dtype)
            except (ValueError, OverflowError) as error:
                finding = f"the numbers of {file} are damaged"
                raise IngestError(Reason.UNREADABLE, finding) from error
            voxels[found : found + len(words)] = part
            found += len(words)
    check_count(header, file, found)
    return voxels


def _read_words(stream: Stream, file: Path) -> Iterator[list[bytes]]:
    """The numbers of a text, some at a time."""
    rest = b""
    for chunk in itertools.chain(iter(lambda: stream.read(_TEXT_BYTES), b""), [b" "]):
        head, rest = _cut_at_last_blank(rest + chunk)
        if len(rest) > _LONGEST_NUMBER:
            raise IngestError(Reason.UNREADABLE, f"the numbers of {file} are damaged")
        words = (word.strip(b",") for word in head.split())
        yield [word for word in words if word]


def _cut_at_last_blank(text: bytes) -> tuple[bytes, bytes]:
    """Text up to its last blank, and what follows, which may go on."""
    place = max(text.rfind(blank) for blank in (b" ", b"\n", b"\t", b"\r"))
    return text[: place + 1], text[place + 1 :]


def check_count(header: VolumeHeader, file: Path, most: int) -> None:
    """Refuse a text of fewer numbers than its header promises."""
    count = header.size // header.dtype.itemsize
    if most < count:
        finding = f"{file} holds at most {most} numbers, its header promises {count}"
        raise IngestError(Reason.TRUNCATED, finding)
