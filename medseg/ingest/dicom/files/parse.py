"""Parse: a DICOM file as a data set, with or without file meta information.

PS3.10 section 7.1 asks for a preamble of 128 bytes, "DICM" and a group 0002 that states the
transfer syntax. Where these are absent, the first element tells explicit from implicit VR, and what
is then parsed must name a known SOP class.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
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
from pydicom.uid import UID

from medseg.ingest.dicom.files.bounded_file import (
    FREE_ITEMS,
    ITEM_HEADER_BYTES,
    ITEM_TAGS,
    BoundedFile,
    check_items,
    check_reads,
)
from medseg.ingest.dicom.files.elements import ElementError
from medseg.ingest.dicom.files.inflated import FREE_HEADER_BYTES, InflatedStream, limit_header_bytes
from medseg.ingest.dicom.files.transfer_syntax import (
    PLAIN_SYNTAXES,
    begins_like_a_data_set,
    check_is_known_object,
    find_transfer_syntax,
)
from medseg.ingest.formats import DICOM_HEAD_BYTES, has_dicom_prefix
from medseg.ingest.reasons import IngestError

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

LONGEST_NUMBERS = 2**20
"""The numbers of one element take at most this many bytes; each becomes a Python object."""

_NUMBER_VRS = frozenset(("AT", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US", "US or SS"))
UNDEFINED_LENGTH = 0xFFFFFFFF
_LONGEST_UID = 64
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_SOP_CLASS, _SERIES = Tag("SOPClassUID"), Tag("SeriesInstanceUID")


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """A parsed file.

    Attributes:
        dataset: the elements asked for, with `file_meta`.
        syntax: its transfer syntax.
        is_syntax_assumed: whether the file does not state it, or is written in another.
        is_implicit: whether elements are without VR, as found.
        last_read: the element at which parsing ended, for messages.
        stream: what was parsed, inflated if need be, at the pixel data element or at its end. It is
            `InflatedStream` where the data set is deflated, and read while the file is open.
    """

    dataset: pydicom.Dataset
    syntax: UID
    is_syntax_assumed: bool
    is_implicit: bool
    stream: BinaryIO | InflatedStream
    last_read: str = ""


class Progress:
    """How far a file was parsed; it is there also after an error.

    Attributes:
        element: the name of the element that was read last, for messages.
    """

    def __init__(self) -> None:
        self.element = "the first element"
        self.is_syntax_stated = False
        self._uids: dict[BaseTag, str] = {}

    @property
    def series_uid(self) -> str:
        """The Series Instance UID; "" where it was not reached, or what was read may be noise."""
        is_known = self.is_syntax_stated or UID(self._uids.get(_SOP_CLASS, "")).type == "SOP Class"
        return self._uids.get(_SERIES, "") if is_known else ""

    def note(self, tag: BaseTag, length: int, stream: BinaryIO | InflatedStream) -> None:
        """Take note of the element whose value is next in the stream, which stays there."""
        size = "undefined length" if length == UNDEFINED_LENGTH else f"{length} bytes"
        self.element = f"{keyword_for_tag(tag) or 'element'} {tag} of {size}"
        if tag in (_SOP_CLASS, _SERIES) and length <= _LONGEST_UID:
            place = stream.tell()
            self._uids[tag] = stream.read(length).decode("latin-1").strip(" \0")
            stream.seek(place)


@contextmanager
def stop_validation() -> Iterator[None]:
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


def read_meta(file: BinaryIO) -> FileMetaDataset | None:
    """The file meta information, empty where there is none; None when the file is no DICOM.

    Args:
        file: open at its start; at the data set afterwards.
    """
    head = file.read(DICOM_HEAD_BYTES)
    if not has_dicom_prefix(head):
        if not begins_like_a_data_set(head):
            return None
        file.seek(0)
    return FileMetaDataset(read_dataset(file, False, True, stop_when=_is_past_meta))


def parse(
    file: BinaryIO,
    path: Path,
    *,
    keywords: Sequence[str] | None = None,
    with_pixels: bool = False,
    pixel_bytes: int = 0,
    progress: Progress | None = None,
) -> ParsedFile | None:
    """Parse a file; None when it is no DICOM.

    Args:
        file: open at its start.
        path: what to call it in messages.
        keywords: the elements to read, from before the pixel data; None for all of them, pixels
            included.
        with_pixels: read the pixel data too, where `keywords` name it.
        pixel_bytes: what a deflated data set may inflate to beside its header.
        progress: says how far the file was parsed, also where that fails.

    Raises:
        IngestError: "unreadable", "truncated" or "too-large"; the callers turn `PARSE_ERRORS` into
            a refusal of their own.
    """
    meta, progress = read_meta(file), progress or Progress()
    if meta is None:
        return None
    stated = UID(meta.get("TransferSyntaxUID") or "")
    syntax = find_transfer_syntax(file, stated, path)
    progress.is_syntax_stated = syntax == stated
    stream = _inflate(file, path, pixel_bytes) if syntax.is_deflated else file
    is_header = keywords is not None and not with_pixels
    with file.limit_header() if is_header and isinstance(file, BoundedFile) else nullcontext():
        dataset = _read(stream, syntax, keywords, stop=is_header, progress=progress)
    _check_unread_items(dataset, path)
    is_implicit = bool(dataset.original_encoding[0])  # as found, which pydicom goes by
    if syntax in PLAIN_SYNTAXES:
        syntax = PLAIN_SYNTAXES[not is_implicit]
    if syntax != stated:
        check_is_known_object(dataset, path)
        meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    return ParsedFile(dataset, syntax, syntax != stated, is_implicit, stream, progress.element)


def _is_past_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _inflate(file: BinaryIO, path: Path, pixel_bytes: int) -> InflatedStream:
    return InflatedStream(
        file,
        path,
        most_bytes=limit_header_bytes(path) + pixel_bytes,
        free_bytes=FREE_HEADER_BYTES + pixel_bytes,
        check_items=check_items,
        check_reads=check_reads,
    )


def _read(
    stream: BinaryIO | InflatedStream,
    syntax: UID,
    keywords: Sequence[str] | None,
    *,
    stop: bool,
    progress: Progress,
) -> pydicom.Dataset:
    """The data set, up to its pixels where `stop` says so."""
    wanted = None if keywords is None else _find_tags(tuple(keywords))

    def stop_when(tag: BaseTag, vr: str | None, length: int) -> bool:
        """Note where the parser is, and say whether the data set ends before this element."""
        progress.note(tag, length, stream)
        if length > LONGEST_NUMBERS and _is_number(tag) and tag in (wanted or ()):
            raise ValueError("more numbers than an element can have")
        return stop and tag in _PIXEL_TAGS

    try:
        return read_dataset(
            cast(BinaryIO, stream),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=stop_when,
            specific_tags=wanted,
        )
    except IngestError:
        raise
    except PARSE_ERRORS as error:
        if isinstance(error.__context__, IngestError):  # wrapped by pydicom
            raise error.__context__ from error
        what = f"{progress.element} cannot be read ({type(error).__name__})"
        raise ElementError(what) from error


def _check_unread_items(dataset: pydicom.Dataset, path: Path) -> None:
    """Count the items of sequences that pydicom parses when they are asked for."""
    tags = dataset.keys()  # iterating over the data set itself would parse them
    for value in (dataset.get_item(tag).value for tag in tags if tag not in _PIXEL_TAGS):
        if isinstance(value, bytes) and len(value) > FREE_ITEMS * ITEM_HEADER_BYTES:
            check_items(sum(map(value.count, ITEM_TAGS)), path)


def _is_number(tag: BaseTag | int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) in _NUMBER_VRS


@lru_cache(maxsize=8)
def _find_tags(keywords: tuple[str, ...]) -> list[BaseTag | int]:
    """Looked up once for all files that are read alike; not to be changed."""
    return list({int(Tag(keyword)) for keyword in keywords})
