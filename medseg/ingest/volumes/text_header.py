"""Text header: the lines before the voxels of a NRRD or MetaImage file, read within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from medseg.ingest.reasons import IngestError, Reason

MOST_BYTES = 2**20
"""No header is longer; segmentations of hundreds of segments have a few 10,000 bytes."""

MOST_FILES = 100_000
"""A header names no more files of voxels."""

NUMBERED_NAME = re.compile(r"[^%]*%0?\d*d[^%]*")
"""A name that stands for several files, such as `slice%03d.raw`."""


def read_lines(path: Path) -> Iterator[tuple[str, int]]:
    """The lines of a file from its start, each with the byte that follows it.

    A line ends in a line feed, a carriage return before it left out. Bytes that are no UTF-8 are
    read as Latin-1.

    Raises:
        IngestError: "unreadable" for a header that does not end within `MOST_BYTES`.
    """
    with path.open("rb") as file:
        while line := file.readline(MOST_BYTES):
            end = file.tell()
            if end > MOST_BYTES:
                finding = f"the header of {path} does not end within {MOST_BYTES} bytes"
                raise IngestError(Reason.UNREADABLE, finding)
            yield _decode(line).rstrip("\r\n"), end


def parse_numbers(text: str, *, field: str, path: Path) -> list[float]:
    """The numbers of a field.

    Raises:
        IngestError: "unreadable".
    """
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        finding = f"{path} states {text[:80]!r} for {field}, which are not numbers"
        raise IngestError(Reason.UNREADABLE, finding) from error


def parse_whole_numbers(text: str, *, field: str, path: Path) -> list[int]:
    """The whole numbers of a field.

    Raises:
        IngestError: "unreadable".
    """
    found = parse_numbers(text, field=field, path=path)
    if not all(number.is_integer() for number in found):
        finding = f"{path} states {text[:80]!r} for {field}, which are not whole numbers"
        raise IngestError(Reason.UNREADABLE, finding)
    return [int(number) for number in found]


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
