"""Part10: open a DICOM file and parse its data set, with or without file meta information.

PS3.10 section 7.1 asks for a preamble of 128 bytes, "DICM" and a group 0002 that states the
transfer syntax. Where these are absent, the first element tells explicit from implicit VR, and what
is then parsed must name a known SOP class. A lying length never makes a read larger than its file.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

import pydicom
from pydicom import config
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from medseg.ingest.dicom.elements import ElementError
from medseg.ingest.dicom.inflated import (
    FREE_HEADER_BYTES,
    MAX_HEADER_BYTES,
    Inflated,
    most_header_bytes,
)
from medseg.ingest.reasons import IngestError, Reason

logger = logging.getLogger(__name__)

# What a damaged file makes the parser and the decoders raise; anything else is a bug, not hidden.
PARSE_ERRORS = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    BytesLengthException,
    struct.error,
    zlib.error,
)

FREE_ITEMS, BYTES_PER_ITEM = 2**15, 256
"""A file may hold so many items, and one more for each 256 bytes: frames have ten, and pixels."""

FREE_READS, READS_PER_ITEM = 2**14, 32
"""The header of a file may be read in so many pieces, and 32 more for each item: an element takes
one to three, data sets have a few hundred elements, seldom thousands, and items a few."""

LONGEST_NUMBERS = 2**20
"""Numbers of one element take at most so many bytes; each becomes an object of Python."""

_NUMBER_VRS = frozenset(("AT", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US", "US or SS"))
_PREAMBLE_BYTES = 128
_ITEM_HEADER_BYTES, _ITEM_TAGS = 8, (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SMALL_READ = 4096
_PLAIN_SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_FIRST_GROUPS = (0x0002, 0x0008)
_LAST_FIRST_ELEMENT = 0x0018  # data sets begin with group length, character set, type or UIDs
_LONGEST_FIRST_VALUE = 256
_DEFLATED_HEAD_BYTES = 4096
_VRS = frozenset(str(vr).encode() for vr in VR)


@dataclass(frozen=True, eq=False)
class Part10:
    """A parsed file.

    Attributes:
        dataset: the elements asked for, with `file_meta`.
        syntax: its transfer syntax.
        is_syntax_assumed: whether the file does not state it, or is written in another.
        is_implicit: whether elements are without VR, as found.
        last_read: the element at which parsing ended, for messages.
        stream: what was parsed, inflated if need be, at the pixel data element or at its end. It is
            `Inflated` where the data set is deflated, and read while the file is open.
    """

    dataset: pydicom.Dataset
    syntax: UID
    is_syntax_assumed: bool
    is_implicit: bool
    stream: BinaryIO | Inflated
    last_read: str = ""


class BoundedReader(io.BufferedReader):
    """A file of which no read allocates more than what is left of it.

    While a header is read, `most_bytes` is how much of it may be: a length that is stated, or an
    end that never comes, would else take as much memory as the file is long. What is passed over
    does not count. Each item of a sequence becomes a data set, which takes hundreds of times the
    bytes of an empty one: they are counted, see `check_items`. So is each read, see `check_reads`.
    """

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._path = Path(str(raw.name))
        self.items = self.reads = 0
        self.free_reads = FREE_READS
        self.most_bytes: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        if size is not None and size > _SMALL_READ:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        if self.most_bytes is not None:
            self.most_bytes -= _SMALL_READ if size is None or size < 0 else size
            self._check_most()
            self.reads += 1
            check_reads(self.reads, self.items, self._path, free=self.free_reads)
        content = super().read(size)
        if size == _ITEM_HEADER_BYTES and content.startswith(_ITEM_TAGS):
            self.items += 1
            check_items(self.items, self._path)
        return content

    def _check_most(self) -> None:
        if self.most_bytes is not None and self.most_bytes < 0:
            finding = f"{self._path} holds more than {MAX_HEADER_BYTES} bytes before its pixels"
            raise IngestError(Reason.TOO_LARGE, finding)


def check_items(count: int, path: Path) -> None:
    """Refuse a file of more sequence items than images of its size have.

    Raises:
        IngestError: "too-large".
    """
    if count > FREE_ITEMS and count > (most := FREE_ITEMS + path.stat().st_size // BYTES_PER_ITEM):
        finding = f"{path} holds more than {most} items of sequences or pixels"
        raise IngestError(Reason.TOO_LARGE, finding)


def check_reads(reads: int, items: int, path: Path, *, free: int = FREE_READS) -> None:
    """Refuse a header of more elements than data sets have: each costs time, however small.

    Args:
        reads: how often the file was read.
        items: how many items of sequences were met.
        path: what to call it in messages.
        free: so many reads are always let pass.

    Raises:
        IngestError: "too-large".
    """
    if reads > free + READS_PER_ITEM * items:
        finding = f"{path} holds more elements than a header has ({reads} parts, {items} items)"
        raise IngestError(Reason.TOO_LARGE, finding)


def open_bounded(path: Path) -> BoundedReader:
    """Open a file for `parse`."""
    return BoundedReader(io.FileIO(path))


@contextmanager
def without_validation() -> Iterator[None]:
    """Keep pydicom from warning of values whose form the standard forbids: rules judge them here.

    Its setting is one for the whole process. It is put back when the last of the threads that are
    within is out.
    """
    with _validation.lock:
        if _validation.threads == 0:
            _validation.mode = config.settings.reading_validation_mode
            config.settings.reading_validation_mode = config.IGNORE
        _validation.threads += 1
    try:
        yield
    finally:
        with _validation.lock:
            _validation.threads -= 1
            if _validation.threads == 0:
                config.settings.reading_validation_mode = _validation.mode


class _Validation:
    """The setting of pydicom that was found, and how many have it switched off."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.threads = 0
        self.mode = config.WARN


_validation = _Validation()


def parse(
    file: BinaryIO,
    path: Path,
    *,
    keywords: Sequence[str] | None = None,
    last: str | None = None,
    with_pixels: bool = False,
    pixel_bytes: int = 0,
    free_reads: int = FREE_READS,
) -> Part10 | None:
    """Parse a file; None when it is no DICOM.

    Args:
        file: open at its start.
        path: what to call it in messages.
        keywords: the elements to read, from before the pixel data; None for all of them, pixels
            included.
        last: read no further than this element; None goes on to the pixel data.
        with_pixels: read the pixel data too, where `keywords` name it.
        pixel_bytes: what a deflated data set may inflate to beside its header.
        free_reads: see `check_reads`; a header is read.

    Raises:
        IngestError: "unreadable", "truncated" or "too-large"; the callers turn `PARSE_ERRORS` into
            a refusal of their own.
    """
    head = file.read(_PREAMBLE_BYTES + 4)
    if head[_PREAMBLE_BYTES:] != b"DICM":
        if not _begins_like_a_data_set(head):
            return None
        file.seek(0)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_is_past_meta))
    stated = UID(meta.get("TransferSyntaxUID") or "")
    syntax = _written_in(file, _known(stated, path)) if stated else _syntax_of(file)
    stream: BinaryIO | Inflated = file
    if syntax == DeflatedExplicitVRLittleEndian:
        stream = Inflated(
            file,
            path,
            most_bytes=most_header_bytes(path) + pixel_bytes,
            free_bytes=FREE_HEADER_BYTES + pixel_bytes,
            check_items=check_items,
            check_reads=partial(check_reads, free=free_reads),
        )
    is_header = keywords is not None and not with_pixels
    with _limited(file, is_header=is_header, free_reads=free_reads):
        stop = None if keywords is None or with_pixels else _is_pixel_data
        if last is not None:
            stop = partial(_is_past, Tag(last))
        dataset, last_read = _read(stream, syntax, keywords=keywords, stop=stop)
    _check_unread_items(dataset, path)
    is_implicit = bool(dataset.original_encoding[0])  # as found, which pydicom goes by
    if syntax in _PLAIN_SYNTAXES:
        syntax = _PLAIN_SYNTAXES[not is_implicit]
    if syntax != stated:
        _check_consistent(dataset, path)
        meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    return Part10(dataset, syntax, syntax != stated, is_implicit, stream, last_read)


@contextmanager
def _limited(file: BinaryIO, *, is_header: bool, free_reads: int) -> Iterator[None]:
    """Hold a file to `MAX_HEADER_BYTES` while its header is read."""
    if not is_header or not isinstance(file, BoundedReader):
        yield
        return
    file.most_bytes, file.free_reads = MAX_HEADER_BYTES, free_reads
    try:
        yield
    finally:
        file.most_bytes = None


def _begins_like_a_data_set(head: bytes) -> bool:
    """Whether the first element is one with which data sets begin, whatever its encoding."""
    if len(head) < 8:
        return False
    is_explicit = head[4:6] in _VRS
    for order in "<>" if is_explicit else "<":
        group, element, length = struct.unpack(order + "HHI", head[:8])
        if group in _FIRST_GROUPS and element <= _LAST_FIRST_ELEMENT:
            return is_explicit or (length <= _LONGEST_FIRST_VALUE and length % 2 == 0)
    return False


def _is_past_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _is_pixel_data(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in _PIXEL_TAGS


def _is_past(last: BaseTag, tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > last


def _known(syntax: UID, path: Path) -> UID:
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise IngestError(Reason.UNREADABLE, f"{path} states no known transfer syntax")
    return syntax


def _written_in(file: BinaryIO, stated: UID) -> UID:
    """The transfer syntax stated, unless the first element is plain and of another byte order."""
    if stated not in (*_PLAIN_SYNTAXES, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        return stated
    head = file.read(_DEFLATED_HEAD_BYTES)
    file.seek(-len(head), os.SEEK_CUR)
    if not _begins_like_a_data_set(head[:8]):
        return DeflatedExplicitVRLittleEndian if _is_deflated(head) else stated
    head = head[:8]
    found = _syntax_by(head)
    is_other_order = found.is_little_endian != stated.is_little_endian
    return found if is_other_order or stated.is_deflated else stated


def _is_deflated(head: bytes) -> bool:
    """Whether bytes begin a deflate stream of a data set."""
    try:
        start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _LONGEST_FIRST_VALUE)
    except zlib.error:
        return False
    return start[4:6] in _VRS and _begins_like_a_data_set(start)


def _syntax_of(file: BinaryIO) -> UID:
    """The transfer syntax that the element at the file's position is written in."""
    first = file.read(6)
    file.seek(-len(first), os.SEEK_CUR)
    return _syntax_by(first)


def _syntax_by(first: bytes) -> UID:
    if first[4:6] not in _VRS:
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if first[0] == 0 else ExplicitVRLittleEndian


def _read(
    stream: BinaryIO | Inflated,
    syntax: UID,
    *,
    keywords: Sequence[str] | None,
    stop: Callable[[BaseTag, str | None, int], bool] | None,
) -> tuple[pydicom.Dataset, str]:
    """The data set, and the name of the element at which it ends."""
    wanted = None if keywords is None else _tags(tuple(keywords))
    watch = _Watch(stop, wanted)
    try:
        dataset = read_dataset(
            cast(BinaryIO, stream),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=watch,
            specific_tags=wanted,
        )
        return dataset, watch.name
    except IngestError:
        raise
    except PARSE_ERRORS as error:
        if isinstance(error.__context__, IngestError):  # wrapped by pydicom
            raise error.__context__ from error
        raise ElementError(f"{watch.name} cannot be read ({type(error).__name__})") from error


def _check_unread_items(dataset: pydicom.Dataset, path: Path) -> None:
    """Count the items of sequences that pydicom parses when they are asked for."""
    tags = dataset.keys()  # iterating over the data set itself would parse them
    for value in (dataset.get_item(tag).value for tag in tags if tag not in _PIXEL_TAGS):
        if isinstance(value, bytes) and len(value) > FREE_ITEMS * _ITEM_HEADER_BYTES:
            check_items(sum(map(value.count, _ITEM_TAGS)), path)


class _Watch:
    """Remembers the element that is being read, for messages."""

    def __init__(
        self,
        stop: Callable[[BaseTag, str | None, int], bool] | None,
        wanted: Sequence[BaseTag | int] | None,
    ) -> None:
        self._stop = stop
        self._wanted = wanted or ()
        self.name = "the first element"

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        size = "undefined length" if length == _UNDEFINED_LENGTH else f"{length} bytes"
        self.name = f"{keyword_for_tag(tag) or 'element'} {tag} of {size}"
        if length > LONGEST_NUMBERS and _is_number(tag) and tag in self._wanted:
            raise ValueError("more numbers than any element has")
        return self._stop is not None and self._stop(tag, vr, length)


def _is_number(tag: BaseTag | int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) in _NUMBER_VRS


@lru_cache(maxsize=8)
def _tags(keywords: tuple[str, ...]) -> list[BaseTag | int]:
    """Looked up once for all files that are read alike; not to be changed."""
    return list({int(Tag(keyword)) for keyword in keywords})


def _check_consistent(dataset: pydicom.Dataset, path: Path) -> None:
    """What was parsed by assumption must name what it is; noise does not."""
    sop_class = dataset.get("SOPClassUID")
    if not isinstance(sop_class, UID) or sop_class.type != "SOP Class":
        finding = f"{path} states no right transfer syntax and reads as no known object without it"
        raise IngestError(Reason.UNREADABLE, finding)
