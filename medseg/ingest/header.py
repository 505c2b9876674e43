"""Header: what ingest must know of one DICOM file, read without its pixels.

The pass also measures the pixel data element, so that a truncated file is known before decoding.
Only technical elements are parsed; patient elements are skipped unread.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from medseg.ingest.reasons import IngestError, Reason

logger = logging.getLogger(__name__)

_KEYWORDS = [
    *("SOPClassUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "ImageType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *("SliceThickness", "SpacingBetweenSlices", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
]

# What a damaged header makes the parser raise; anything else is a bug and is not hidden.
PARSE_ERRORS = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    BytesLengthException,
    struct.error,
    zlib.error,
)

_PREAMBLE_BYTES = 128
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class PixelData:
    """Where the pixel data element lies in its file, and whether all of it is there.

    `offset` is None where it cannot be known without inflating the file. `missing_bytes` compares
    the file with the length that the element itself declares.
    """

    offset: int | None
    length: int
    missing_bytes: int = 0


@dataclass(frozen=True, eq=False)
class Slice:
    """The technical header of one file; an absent element is None or empty.

    Lengths are in mm and vectors in LPS+, as stored. `position` is the centre of the first pixel.
    """

    path: Path
    transfer_syntax: UID
    sop_class: UID
    series_uid: str
    frame_of_reference: str
    modality: str
    image_type: tuple[str, ...]
    frames: int
    rows: int
    columns: int
    pixel_spacing_mm: np.ndarray
    position: np.ndarray
    orientation: np.ndarray
    thickness_mm: float | None
    spacing_between_mm: float | None
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    padding: tuple[int, int] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    has_modality_lut: bool
    pixels: PixelData | None

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept; the identity where absent."""
        slope = 1.0 if self.slope is None else self.slope
        return slope, 0.0 if self.intercept is None else self.intercept


def read_header(path: Path) -> Slice | None:
    """Read the header of one file; None when the file is no DICOM object of its own.

    Files without the DICOM prefix and DICOMDIR are passed over. An empty file, or one named `.dcm`
    without the prefix, was meant to be a slice and is refused.

    Raises:
        IngestError: "unreadable", when the header is damaged.
    """
    try:
        with path.open("rb") as file:
            if _has_dicom_prefix(file):
                return _parse(file, path)
        _refuse_if_meant_to_be_dicom(path)
        return None
    except IngestError:
        raise
    except PARSE_ERRORS as error:
        raise IngestError(
            Reason.UNREADABLE, f"DICOM header of {path} is damaged ({type(error).__name__})"
        ) from error


def _has_dicom_prefix(file: BinaryIO) -> bool:
    """PS3.10 section 7.1: "DICM" after a preamble of 128 bytes."""
    file.seek(_PREAMBLE_BYTES)
    found = file.read(4) == b"DICM"
    file.seek(0)
    return found


def _refuse_if_meant_to_be_dicom(path: Path) -> None:
    size = path.stat().st_size
    if size == 0 or path.suffix.lower() == ".dcm":
        raise IngestError(
            Reason.UNREADABLE, f"{path} has {size} bytes and no DICOM prefix at byte 128"
        )
    logger.debug("passed over %s: no DICOM prefix", path)


def _parse(file: BinaryIO, path: Path) -> Slice | None:
    dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_KEYWORDS)
    if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not syntax.is_transfer_syntax:
        raise IngestError(Reason.UNREADABLE, f"{path} states no known transfer syntax")
    return _slice(dataset, path, syntax=syntax, pixels=_measure_pixels(file, syntax))


def _slice(dataset: pydicom.Dataset, path: Path, *, syntax: UID, pixels: PixelData | None) -> Slice:
    text, whole = partial(_text, dataset), partial(_whole, dataset)
    number, vector = partial(_number, dataset), partial(_vector, dataset)
    bits_stored = whole("BitsStored")
    return Slice(
        path=path,
        transfer_syntax=syntax,
        sop_class=UID(text("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")),
        series_uid=text("SeriesInstanceUID"),
        frame_of_reference=text("FrameOfReferenceUID"),
        modality=text("Modality"),
        image_type=_values(dataset.get("ImageType")),
        frames=whole("NumberOfFrames", 1),
        rows=whole("Rows"),
        columns=whole("Columns"),
        pixel_spacing_mm=vector("PixelSpacing"),
        position=vector("ImagePositionPatient"),
        orientation=vector("ImageOrientationPatient"),
        thickness_mm=number("SliceThickness"),
        spacing_between_mm=number("SpacingBetweenSlices"),
        samples=whole("SamplesPerPixel", 1),
        photometric=text("PhotometricInterpretation"),
        bits_allocated=whole("BitsAllocated"),
        bits_stored=bits_stored,
        high_bit=whole("HighBit", bits_stored - 1),
        pixel_representation=whole("PixelRepresentation", -1),
        padding=_padding_range(dataset),
        slope=number("RescaleSlope"),
        intercept=number("RescaleIntercept"),
        rescale_type=text("RescaleType"),
        has_modality_lut=bool(dataset.get("ModalityLUTSequence")),
        pixels=pixels,
    )


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _whole(dataset: pydicom.Dataset, keyword: str, default: int = 0) -> int:
    value = dataset.get(keyword)
    return default if value in (None, "") else int(value)


def _number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    return None if value in (None, "") else float(value)


def _vector(dataset: pydicom.Dataset, keyword: str) -> np.ndarray:
    value = dataset.get(keyword)
    return np.array([] if value in (None, "") else value, dtype=np.float64).ravel()


def _values(element: object) -> tuple[str, ...]:
    if element is None:
        return ()
    return (element,) if isinstance(element, str) else tuple(str(v) for v in element)  # type: ignore[attr-defined]  # MultiValue


def _padding_range(dataset: pydicom.Dataset) -> tuple[int, int] | None:
    """Lowest and highest stored value that mean "no data" (PS3.3 C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else value
    return min(value, other), max(value, other)


def _measure_pixels(file: BinaryIO, syntax: UID) -> PixelData | None:
    """Measure the element that starts at the file's position (PS3.5 section 7.1 and A.4)."""
    if syntax == DeflatedExplicitVRLittleEndian:
        return PixelData(offset=None, length=0)
    order = "<" if syntax.is_little_endian else ">"
    header = file.read(8 if syntax.is_implicit_VR else 12)
    if header[:4] != struct.pack(order + "HH", 0x7FE0, 0x0010):
        return None
    (length,) = struct.unpack(order + "I", header[-4:])
    offset, size = file.tell(), os.fstat(file.fileno()).st_size
    if length != _UNDEFINED_LENGTH:
        return PixelData(offset, length, missing_bytes=max(0, offset + length - size))
    return _measure_fragments(file, size)


def _measure_fragments(file: BinaryIO, size: int) -> PixelData:
    """Walk the items of encapsulated pixel data to the delimiter that must end them."""
    offset = file.tell()
    while True:
        item = file.read(8)
        if len(item) < 8:
            return PixelData(offset, file.tell() - offset, missing_bytes=8 - len(item))
        group, element, length = struct.unpack("<HHI", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return PixelData(offset, file.tell() - offset)
        if (group, element) != (0xFFFE, 0xE000):
            raise ValueError("encapsulated pixel data holds something that is no item")
        end = file.tell() + length
        if end > size:
            return PixelData(offset, size - offset, missing_bytes=end - size)
        file.seek(end)
