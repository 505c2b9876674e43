"""Read slices: the headers of the slices in one DICOM file, without their pixels.

The pass also measures the pixel data element, so that a truncated file is known before decoding.
Only elements that say how an image came about are parsed. Of the patient nothing is read but
PatientID, birth date, sex, age, size and weight, to compare slices, and no name of anybody.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import pydicom
from pydicom import uid
from pydicom.tag import Tag

from medseg.ingest.content import make_content_error
from medseg.ingest.dicom.files import elements
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import (
    PARSE_ERRORS,
    ParsedFile,
    Progress,
    parse,
    stop_validation,
)
from medseg.ingest.dicom.header import (
    acquired_matrix,
    counts,
    multiframe,
    origin,
    private,
    real_world_mapping,
)
from medseg.ingest.dicom.header.slice import PixelData, Slice
from medseg.ingest.dicom.pixels.pixel_data import count_zeros_at_end, measure_pixels
from medseg.ingest.dicom.pixels.real_world import apply_real_world_values
from medseg.ingest.formats import is_named_dicom, is_volume_file
from medseg.ingest.packing import PACKED_SUFFIXES, find_packing, holds_packed_dicom
from medseg.ingest.reasons import IngestError, Reason

logger = logging.getLogger(__name__)

_DERIVED_KEYWORDS = {"SegmentationType": "SEG", "DoseSummationType": "RTDOSE"}
"""Required in a segmentation (PS3.3 C.8.20.2) and a dose (C.8.8.3), and in no image."""

_KEYWORDS = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "ImageType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *("SliceThickness", "SpacingBetweenSlices", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("LossyImageCompression", "ConversionType", "BurnedInAnnotation"),
    *_DERIVED_KEYWORDS,
    *(*multiframe.KEYWORDS, *origin.KEYWORDS),
    *(real_world_mapping.KEYWORD, *counts.KEYWORDS, *private.KEYWORDS),
    *acquired_matrix.KEYWORDS,
]

_OVERLAY_POSITIONS = tuple(Tag(group, 0x0102) for group in range(0x6000, 0x6020, 2))
_MOST_BITS = 32
_KEYWORDS.extend(f"{tag:08X}" for tag in _OVERLAY_POSITIONS)

_LOSSY_SYNTAXES = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless)
_PERHAPS_LOSSY_SYNTAXES = (uid.JPEG2000, uid.HTJ2K)


def read_slices(path: Path) -> tuple[Slice, ...]:
    """Read the headers of the slices of one file; empty when the file is no DICOM of its own.

    An enhanced multi-frame file gives a slice for each frame, any other file one. Files of other
    formats and DICOMDIR are passed over. A file that is empty, named `.dcm`, or begins like a DICOM
    data set was meant to be DICOM, and is refused where it cannot be read as such.

    Raises:
        IngestError: "unreadable", when the header is damaged; "truncated" or "too-large", when a
            deflated one is. Its `series_uid` is that of the file, where the damage is behind it.

    Example:
        >>> [s.position for s in read_slices(Path("slice.dcm"))]  # doctest: +SKIP
    """
    progress = Progress()
    try:
        with BoundedFile(path) as file, stop_validation():
            parsed = parse(file, path, keywords=_KEYWORDS, progress=progress)
            if parsed is not None:
                return _make_slices(parsed, path)
        _refuse_if_meant_to_be_dicom(path)
        return ()
    except IngestError as error:
        error.series_uid = progress.series_uid
        raise
    except PARSE_ERRORS as error:
        finding = f"DICOM header of {path} is damaged ({type(error).__name__})"
        if isinstance(error, elements.ElementError):
            finding = f"{error}, in the header of {path}"
        refusal = IngestError(Reason.UNREADABLE, finding)
        refusal.series_uid = progress.series_uid
        raise refusal from error


def read_header(path: Path) -> Slice | None:
    """Read the header of the first slice of one file; None when the file is no DICOM of its own.

    Raises:
        IngestError: see `read_slices`.
    """
    return next(iter(read_slices(path)), None)


def _refuse_if_meant_to_be_dicom(path: Path) -> None:
    size = path.stat().st_size
    if size and is_named_dicom(path) and (packing := find_packing(path)):
        raise IngestError(Reason.UNREADABLE, f"{path} is a {packing} file: unpack it")
    if path.suffix.lower() not in PACKED_SUFFIXES and holds_packed_dicom(path):
        finding = f"{path} is a DICOM file packed with gzip: unpack it"
        raise IngestError(Reason.UNREADABLE, finding)
    if size and is_named_dicom(path) and (known := make_content_error(path)):
        raise IngestError(Reason.UNREADABLE, known.finding)
    if (size == 0 and not is_volume_file(path)) or is_named_dicom(path):
        raise IngestError(
            Reason.UNREADABLE, f"{path} has {size} bytes and no DICOM prefix at byte 128"
        )
    logger.debug("skipped %s: no DICOM prefix", path)


def _make_slices(parsed: ParsedFile, path: Path) -> tuple[Slice, ...]:
    meta = parsed.dataset.file_meta
    if meta.get("MediaStorageSOPClassUID") == uid.MediaStorageDirectoryStorage:
        return ()
    pixels = measure_pixels(parsed)
    if parsed.is_syntax_assumed and pixels is not None and pixels.is_encapsulated:
        finding = f"{path} has compressed pixels and states no transfer syntax"
        raise IngestError(Reason.UNREADABLE, finding)
    header = _make_header(parsed, path, pixels=pixels)
    if header.pixels is not None and header.excess_bytes:
        zeros = count_zeros_at_end(parsed.stream, header.pixels)
        header = replace(header, pixels=replace(header.pixels, zeros=zeros))
    header = _take_sign_of_codestream(header)
    return tuple(map(apply_real_world_values, multiframe.split_frames(header, parsed.dataset)))


def _take_sign_of_codestream(header: Slice) -> Slice:
    """Take the sign of samples from their codestream where the header states that there is none."""
    codestream = None if header.pixels is None else header.pixels.codestream
    if codestream is None or not codestream.is_signed or header.pixel_representation != 0:
        return header
    finding = "the header calls compressed samples unsigned, but they are signed"
    notes = ((Reason.CORRECTED_SAMPLES, finding),)
    return replace(header, pixel_representation=1, sample_notes=notes)


def _make_header(parsed: ParsedFile, path: Path, *, pixels: PixelData | None) -> Slice:
    dataset = parsed.dataset
    text, whole = partial(elements.get_text, dataset), partial(elements.get_whole, dataset)
    number, vector = partial(elements.get_number, dataset), partial(elements.get_vector, dataset)
    bits_stored = whole("BitsStored") or whole("HighBit", -1) + 1
    sign = whole("PixelRepresentation", -1)
    if pixels is not None:
        pixels = replace(pixels, stated_bits=bits_stored, stated_representation=sign)
    return Slice(
        path=path,
        transfer_syntax=parsed.syntax,
        is_syntax_assumed=parsed.is_syntax_assumed,
        sop_class=uid.UID(
            text("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")
        ),
        instance=text("SOPInstanceUID"),
        series_uid=text("SeriesInstanceUID"),
        frame_of_reference=text("FrameOfReferenceUID"),
        modality=_read_modality(dataset),
        image_type=elements.get_words(dataset, "ImageType"),
        frames=whole("NumberOfFrames", 1),
        rows=whole("Rows"),
        columns=whole("Columns"),
        pixel_spacing_mm=vector("PixelSpacing"),
        position=vector("ImagePositionPatient"),
        orientation=vector("ImageOrientationPatient"),
        thickness_mm=number("SliceThickness"),
        spacing_between_mm=number("SpacingBetweenSlices"),
        samples=whole("SamplesPerPixel", 1),
        photometric=text("PhotometricInterpretation").upper(),
        bits_allocated=whole("BitsAllocated"),
        bits_stored=bits_stored,
        high_bit=whole("HighBit", bits_stored - 1),
        pixel_representation=sign,
        padding=_read_padding_range(dataset),
        slope=number("RescaleSlope"),
        intercept=number("RescaleIntercept"),
        rescale_type=elements.get_unit(dataset),
        has_modality_lut=bool(dataset.get("ModalityLUTSequence")),
        is_lossy=_is_lossy(text("LossyImageCompression"), parsed.syntax)
        or (pixels is not None and pixels.is_irreversible),
        conversion=text("ConversionType"),
        has_burned_in_text=text("BurnedInAnnotation") == "YES",
        pixels=pixels,
        origin=origin.read_origin(dataset),
        counts=counts.read_counts(dataset),
        tiles=private.read_tiles(dataset),
        is_called_mosaic=private.is_called_mosaic(dataset),
        acquired=acquired_matrix.read_matrix(dataset),
        scale_slope=private.SCALE_SLOPE.read(dataset),
        overlay_bits=_read_overlay_bits(dataset),
        real_world=real_world_mapping.read_mappings([dataset]),
        ends_at=parsed.last_read if pixels is None else "",
    )


def _read_modality(dataset: pydicom.Dataset) -> str:
    """Read Modality; where it is absent or "OT", recognise a segmentation or a dose."""
    stated = elements.get_text(dataset, "Modality")
    if stated not in ("", "OT"):
        return stated
    found = (
        kind for keyword, kind in _DERIVED_KEYWORDS.items() if elements.get_text(dataset, keyword)
    )
    return next(found, stated)


def _read_padding_range(dataset: pydicom.Dataset) -> tuple[int, int] | None:
    """Lowest and highest stored value that mean "no data" (PS3.3 C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else value
    return min(value, other), max(value, other)


def _read_overlay_bits(dataset: pydicom.Dataset) -> int:
    """The bits of a sample that hold an overlay, as older images store it (PS3.5 section 8.1.2)."""
    stated = (dataset.get(tag) for tag in _OVERLAY_POSITIONS)
    positions = {e.value for e in stated if e is not None and isinstance(e.value, int)}
    return sum(1 << position for position in positions if 0 < position < _MOST_BITS)


def _is_lossy(stated: str, syntax: uid.UID) -> bool:
    """Whether lossy compression changed the values, now or before (PS3.3 C.7.6.1.1.5)."""
    if stated == "01" or syntax in _LOSSY_SYNTAXES:
        return True
    return syntax in _PERHAPS_LOSSY_SYNTAXES and stated != "00"
