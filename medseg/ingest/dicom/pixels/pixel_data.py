"""Pixel data: find the pixel data element of a file and count its bytes, without reading them.

PS3.5 section 7.1 (explicit and implicit element headers) and A.4 (encapsulated fragments).
"""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import pydicom

from medseg.ingest.codestreams.codestream import is_irreversible, read_codestream, read_size
from medseg.ingest.dicom.files.elements import ElementError, get_whole
from medseg.ingest.dicom.files.inflated import InflatedStream
from medseg.ingest.dicom.files.parse import UNDEFINED_LENGTH, ParsedFile
from medseg.ingest.dicom.header.slice import PixelData
from medseg.ingest.dicom.pixels.pixel_content import (
    HEAD_BYTES,
    JPEG_2000,
    RLE,
    RLE_HEADER_BYTES,
    is_rle_table,
    recognise_content,
)
from medseg.ingest.dicom.pixels.rle import decode_rle
from medseg.ingest.reasons import IngestError

MAX_PADDING_BYTES = 2**17
"""Zeros at the end are counted up to this many: more than one row of 16-bit pixels has."""

MAX_CHECKED_BYTES = 2**22
"""Deflated pixels of at most this length are inflated, to see whether they are complete."""

_GROUP, _PIXELS, _FLOATS = 0x7FE0, 0x0010, (0x0008, 0x0009)
_NAMES = {_PIXELS: "PixelData", 0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData"}

_LAYOUT = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
_FRAMES = "NumberOfFrames"
_FIRST_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # of an item, in either byte order
_ITEM_HEADER_BYTES = 8
_MAIN_HEADER_BYTES = 256  # of a frame: its table or its coding style
_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


def measure_pixels(parsed: ParsedFile) -> PixelData | None:
    """Measure the element that starts at the position of the stream; None where it is no pixels.

    Raises:
        ElementError: pixel data of undefined length that is no sequence of items, which only
            compressed pixels may be.
    """
    stream = parsed.stream
    order = "<" if parsed.syntax.is_little_endian else ">"
    header = stream.read(8 if parsed.is_implicit else 12)
    if len(header) < 8:
        return None
    group, element = struct.unpack(order + "HH", header[:4])
    if group != _GROUP or element not in (_PIXELS, *_FLOATS):
        return None
    (length,) = struct.unpack(order + "I", header[-4:])
    name = f"{_NAMES[element]} ({group:04X},{element:04X})"
    if isinstance(stream, InflatedStream):
        return _measure_deflated(stream, parsed.dataset, length=length, is_float=element in _FLOATS)
    start, size = stream.tell(), stream.seek(0, os.SEEK_END)
    stream.seek(start)
    if length == UNDEFINED_LENGTH:
        return _measure_undefined(stream, parsed, size=size, name=name)
    may_be_padded = not parsed.syntax.is_encapsulated
    found = _measure_items_of_known_length(stream, start + length, may_be_padded=may_be_padded)
    if found is not None:
        return found
    return PixelData(
        start,
        length,
        missing_bytes=max(0, start + length - size),
        is_float=element in _FLOATS,
        content=_recognise_codestream(
            stream, parsed.dataset, start=start, length=min(length, size - start)
        ),
    )


def _measure_undefined(stream: BinaryIO, parsed: ParsedFile, *, size: int, name: str) -> PixelData:
    """Measure pixels of undefined length, which must be items (PS3.5 section A.4)."""
    try:
        return _measure_fragments(stream, size)
    except IngestError:
        raise
    except ValueError as error:
        stated = f"{name} has undefined length under {parsed.syntax.name}"
        if parsed.syntax.is_encapsulated:
            raise ElementError(f"{stated} and {error}") from error
        fault = "where uncompressed pixels must state theirs"
        raise ElementError(f"{stated}, {fault}") from error


def _measure_deflated(
    stream: InflatedStream, dataset: pydicom.Dataset, *, length: int, is_float: bool
) -> PixelData:
    """Measure deflated samples: those of a usual slice as a whole, of larger ones the start.

    Raises:
        ElementError: they have no length, which only encapsulated pixels lack.
    """
    if length == UNDEFINED_LENGTH:
        fault = "undefined length in a deflated file, where pixels must state their length"
        raise ElementError(f"PixelData (7FE0,0010) has {fault}")
    found = PixelData(None, length, is_float=is_float, compressed=max(1, stream.compressed_bytes))
    if length > MAX_CHECKED_BYTES:
        found = replace(found, missing_bytes=stream.count_missing_bytes(length))
        head = BytesIO(stream.read(HEAD_BYTES))
        return replace(found, content=_recognise_codestream(head, dataset, start=0, length=length))
    stored = stream.read(length)
    if items := _measure_items_of_known_length(BytesIO(stored), len(stored), may_be_padded=True):
        return replace(items, offset=None)
    found = replace(found, missing_bytes=length - len(stored))
    return replace(
        found, content=_recognise_codestream(BytesIO(stored), dataset, start=0, length=length)
    )


def count_zeros_at_end(stream: BinaryIO | InflatedStream, pixels: PixelData) -> int:
    """Count the zero bytes that end uncompressed pixels, up to `MAX_PADDING_BYTES`.

    Deflated pixels have no place in the file, and none are counted.
    """
    if pixels.offset is None or isinstance(stream, InflatedStream):
        return 0
    size = min(pixels.length, MAX_PADDING_BYTES)
    stream.seek(pixels.offset + pixels.length - size)
    end = stream.read(size)
    return len(end) - len(end.rstrip(b"\0"))


def _measure_items_of_known_length(
    stream: BinaryIO, end: int, *, may_be_padded: bool
) -> PixelData | None:
    """Measure fragments in an element that states its length; None for plain samples.

    Some writers make such elements. Plain samples may begin like an item too, but then no item
    holds a codestream, and the items do not reach to the end. Under a plain syntax, what follows a
    codestream is padding.
    """
    start, begins = stream.tell(), stream.read(4)
    stream.seek(start)
    if begins not in _FIRST_TAGS:
        return None
    try:
        found = _measure_fragments(stream, end, may_be_padded=may_be_padded)
    except ValueError:
        return None
    if may_be_padded and found.content:
        return found
    ends_behind_an_item = found.missing_bytes == _ITEM_HEADER_BYTES
    if start + found.length != end or not (ends_behind_an_item or found.missing_bytes == 0):
        return None
    return replace(found, missing_bytes=0)


def _recognise_codestream(
    stream: BinaryIO, dataset: pydicom.Dataset, *, start: int, length: int
) -> str:
    """Name a codestream that lies in no item; "" for plain samples.

    Where the length is that of plain samples, a signature is not enough: the codestream must state
    the size of the header, or the run-length code must decode to as many samples.
    """
    stream.seek(start)
    head = stream.read(min(length, RLE_HEADER_BYTES))
    content = recognise_content(head)
    if not content or (content == RLE and not is_rle_table(head)):
        return ""
    head += stream.read(min(length, HEAD_BYTES) - len(head))
    rows, columns, samples, bits = (get_whole(dataset, keyword) for keyword in _LAYOUT)
    stated = rows * columns * max(1, samples) * bits // 8 * max(1, get_whole(dataset, _FRAMES))
    if length not in (stated, stated + 1):
        return recognise_content(head)
    if content != RLE:
        return recognise_content(head) if read_size(head) == (rows, columns) else ""
    stream.seek(start)
    try:
        code = stream.read(length)
        decode_rle(code, rows * columns, samples=max(1, samples), bytes_per_sample=bits // 8)
    except ValueError:
        return ""
    return content


def _measure_fragments(stream: BinaryIO, size: int, *, may_be_padded: bool = False) -> PixelData:
    """Walk the items of encapsulated pixel data to the delimiter that must end them.

    Where they may be padded, they also end behind a codestream that no item follows.
    """
    offset, found = stream.tell(), PixelData(None, 0, is_encapsulated=True)
    order = ">" if stream.read(4) == _FIRST_TAGS[1] else "<"
    stream.seek(offset)
    while True:
        item = stream.read(min(_ITEM_HEADER_BYTES, size - stream.tell()))
        if may_be_padded and found.content and item[:4] not in _FIRST_TAGS:
            return _end_at(found, offset, stream.tell())
        if len(item) < _ITEM_HEADER_BYTES:
            missing_bytes = _ITEM_HEADER_BYTES - len(item)
            return _end_at(found, offset, stream.tell(), missing_bytes=missing_bytes)
        group, element, length = struct.unpack(order + "HHI", item)
        if (group, element) == _DELIMITER:
            return _end_at(found, offset, stream.tell())
        if (group, element) != _ITEM:
            where = stream.tell() - _ITEM_HEADER_BYTES
            raise ValueError(
                f"holds ({group:04X},{element:04X}) at byte {where}, which is not an item"
            )
        end = stream.tell() + length
        if end > size:
            return _end_at(found, offset, size, missing_bytes=end - size)
        head = stream.read(min(length, _MAIN_HEADER_BYTES if found.content else HEAD_BYTES))
        found = _add_fragment(found, head)
        stream.seek(end)


def _add_fragment(found: PixelData, head: bytes) -> PixelData:
    """Add one fragment, given its first bytes, to what is known of those before it."""
    begun = recognise_content(head)
    is_lossy = begun == JPEG_2000 and is_irreversible(head)
    return replace(
        found,
        codestreams=found.codestreams + bool(begun),
        content=found.content or begun,
        codestream=found.codestream if found.content else read_codestream(head),
        is_irreversible=found.is_irreversible or is_lossy,
    )


def _end_at(found: PixelData, offset: int, end: int, *, missing_bytes: int = 0) -> PixelData:
    length = end - offset
    return replace(
        found,
        offset=offset,
        length=length,
        missing_bytes=missing_bytes,
        compressed=max(1, length),
    )
