"""Streams: a file that is unpacked while it is read, and whose faults are refusals."""

from __future__ import annotations

import binascii
import bz2
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from medseg.ingest.packing import check_is_file
from medseg.ingest.reasons import IngestError, Reason

MOST_INFLATED = {"": 1, "gzip": 1032, "zlib": 1032, "bzip2": 2**21, "hex": 0.5}
"""The most bytes that one byte of a file can stand for (zlib, "Technical Details").

A block of bzip2, some 40 bytes, stands for 900,000 bytes of runs, each 5 bytes for 259.
"""

CHUNK_BYTES = 2**20

_PACKED_CHUNK_BYTES = 2**14  # what is left of one is copied with each part inflated
_BLANKS = b" \t\r\n\v\f"

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # by the header of the stream
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
_LENGTH_BYTES = 4  # at the end of a member


class Stream(Protocol):
    """What can be read on."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class _Inflated:
    """A zlib stream (RFC 1950), inflated no further than is asked for; of gzip, as ITK reads it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._engine = zlib.decompressobj(_ZLIB_OR_GZIP)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        while size and not self._engine.eof:
            packed = self._engine.unconsumed_tail or self._raw.read(_PACKED_CHUNK_BYTES)
            if part := self._engine.decompress(packed, size):
                return part
            if not packed:
                raise EOFError("the stream ends early")
        return b""


class _Hexadecimal:
    """Bytes that are written as two hexadecimal digits each, with any blanks between the digits."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._digits = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        while size and len(self._digits) < 2 and (more := self._raw.read(2 * size)):
            self._digits += more.translate(None, _BLANKS)
        taken = min(len(self._digits) // 2, size) * 2
        digits, self._digits = self._digits[:taken], self._digits[taken:]
        if not taken and self._digits and size:
            raise EOFError("the last byte has one digit")
        return binascii.unhexlify(digits)


@contextmanager
def open_stream(path: Path, packing: str = "", *, start: int = 0) -> Iterator[Stream]:
    """A file from byte `start` on, unpacked while it is read.

    Args:
        path: the file.
        packing: "gzip", "bzip2", "zlib", "hex", or "" for plain bytes.
        start: byte at which the packed content starts; with a negative one, so many bytes before
            the end.

    Raises:
        IngestError: "not-found", "unknown-format" for what is no gzip file though it should be,
            "truncated" or "unreadable".
    """
    check_is_file(path)
    try:
        with path.open("rb") as raw:
            raw.seek(start, 2 if start < 0 else 0)
            if packing == "gzip":
                _check_gzip_magic(raw, path)
                with gzip.GzipFile(fileobj=raw) as inflated:
                    yield inflated
            elif packing == "bzip2":
                with bz2.BZ2File(raw) as inflated:
                    yield inflated
            elif packing == "hex":
                yield _Hexadecimal(raw)
            else:
                yield _Inflated(raw) if packing == "zlib" else raw
    except EOFError as error:
        name = packing or "content"
        raise IngestError(Reason.TRUNCATED, f"{name} stream of {path} ends early") from error
    except (gzip.BadGzipFile, zlib.error, binascii.Error) as error:
        raise IngestError(Reason.UNREADABLE, f"{packing} stream of {path} is damaged") from error
    except OSError as error:
        finding = f"{path} cannot be read ({type(error).__name__})"
        raise IngestError(Reason.UNREADABLE, finding) from error


def read_up_to(stream: Stream, size: int) -> bytearray:
    """Up to `size` bytes; memory grows with what is there, not with what is asked for."""
    content = bytearray()
    while len(content) < size and (part := stream.read(min(size - len(content), CHUNK_BYTES))):
        content += part
    return content


def skip(stream: Stream, size: int) -> int:
    """Read on by up to `size` bytes and forget them; returns how many there were."""
    passed = 0
    while passed < size and (part := stream.read(min(size - passed, CHUNK_BYTES))):
        passed += len(part)
    return passed


def read_gzip_length(path: Path) -> int:
    """What the last member of a gzip file says that it unpacks to, modulo 2**32 (RFC 1952).

    A file that is cut, or that goes on behind its last member, ends in other bytes: what they say
    is no length then.
    """
    with path.open("rb") as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - _LENGTH_BYTES))
        return int.from_bytes(raw.read(_LENGTH_BYTES), "little")


def _check_gzip_magic(raw: BinaryIO, path: Path) -> None:
    place = raw.tell()
    start = raw.read(len(_GZIP_MAGIC))
    raw.seek(place)
    if start != _GZIP_MAGIC[: len(start)]:
        raise IngestError(
            Reason.UNKNOWN_FORMAT, f"{path} has the suffix {path.suffix} but is not a gzip file"
        )
