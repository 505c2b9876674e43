"""Photograph: one DICOM photograph as red, green and blue, for `PictureReader(colour=True)`.

Endoscopy, microscopy, photography, secondary captures and ultrasound stills of one frame. The
colour equations are those of PS3.3 C.7.6.3.1.2, the palette that of C.7.6.3.1.5 and C.7.6.3.1.6.
An ICC profile is not applied.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid

from medseg.ingest.checks import check_room
from medseg.ingest.codestreams.codestream import find_codestreams
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.decoders import DECODE_ERRORS, decode_frames
from medseg.ingest.dicom.pixels.pixel_rules import (
    describe_conflicting_syntax,
    describe_header_conflict,
    is_plausible,
)
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.packing import check_is_file
from medseg.ingest.reasons import IngestError, Reason

PHOTOGRAPHS = (
    uid.VLEndoscopicImageStorage,
    uid.VLMicroscopicImageStorage,
    uid.VLSlideCoordinatesMicroscopicImageStorage,
    uid.VLPhotographicImageStorage,
    uid.OphthalmicPhotography8BitImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.VideoEndoscopicImageStorage,
    uid.VideoMicroscopicImageStorage,
    uid.VideoPhotographicImageStorage,
    uid.UID("1.2.840.10008.5.1.4.1.1.6"),  # Ultrasound Image Storage (retired)
)
"""SOP classes whose pixels are colours or shades, not physical values."""

LARGEST_PIXELS = 2**26
"""A picture of more pixels than 8192 x 8192 is refused, whatever its file holds."""

RLE_RATIO = 64
"""The most bytes that one byte of a run-length code stands for: two for 128 (PS3.5 G.3.1)."""

_SAMPLES = {
    **dict.fromkeys(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"), 3),
    **dict.fromkeys(("PALETTE COLOR", "MONOCHROME1", "MONOCHROME2"), 1),
}
_COLOURS = ("Red", "Green", "Blue")


def read_colour(path: str | Path) -> np.ndarray:
    """Read a DICOM photograph of one frame.

    MONOCHROME2 gives three equal channels. MONOCHROME1 does too, inverted (255 - value): in a
    photograph, unlike in a CT or MR, a value means how bright it is shown. Window, rescale and
    presentation are not applied. 16-bit palette entries are cut to their upper 8 bits.

    Args:
        path: the file.

    Returns:
        (3, rows, columns), uint8: red, green and blue.

    Raises:
        IngestError: "not-found", "unknown-format", "unreadable", "not-a-photograph", "multi-frame",
            "pixel-format", "conflicting-syntax", "truncated", "trailing-bytes" or "undecodable",
            naming the file.

    Example:
        >>> picture = read_colour("endoscopy/still.dcm")  # doctest: +SKIP
    """
    path = Path(path)
    check_is_file(path)
    header = read_header(path)
    if header is None:
        raise IngestError(Reason.UNKNOWN_FORMAT, f"{path} is not a DICOM image")
    _check_kind(header)
    _check_length(header)
    try:
        dataset = _read_dataset(path, pixel_bytes=header.pixels.length if header.pixels else 0)
        _check_codestream(dataset, header)
        samples = next(decode_frames(dataset, [0]))
        palette = _read_palette(dataset, path) if header.photometric == "PALETTE COLOR" else None
    except IngestError:
        raise
    except DECODE_ERRORS as error:
        finding = f"{path} in {header.transfer_syntax.name}"
        raise IngestError(Reason.UNDECODABLE, finding) from error
    return _to_colours(samples, header, palette=palette)


def _read_dataset(path: Path, *, pixel_bytes: int) -> pydicom.Dataset:
    with BoundedFile(path) as file:
        parsed = parse(file, path, pixel_bytes=pixel_bytes)
    if parsed is None:
        raise ValueError(f"{path} was changed during reading")
    return parsed.dataset


def _check_kind(header: Slice) -> None:
    """Refuse anything but a photograph of one frame with 8 bits per sample."""
    path, photometric = header.path, header.photometric
    if header.sop_class not in PHOTOGRAPHS:
        what = header.sop_class.name or "no SOP class"
        raise IngestError(Reason.NOT_A_PHOTOGRAPH, f"{path} is of {what}")
    if header.frames > 1:
        raise IngestError(Reason.CINE, f"{header.frames} frames in {path}")
    if header.samples != _SAMPLES.get(photometric):
        finding = f"{header.samples} samples of {photometric or 'no photometric value'} in {path}"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
    allowed = (8, 16) if photometric == "PALETTE COLOR" else (8,)
    whole = header.bits_stored == header.bits_allocated and header.bits_allocated in allowed
    if not whole or header.pixel_representation != 0:
        sign = "unsigned" if header.pixel_representation == 0 else "signed"
        finding = f"{sign} samples of {header.bits_stored} of {header.bits_allocated} bits in"
        raise IngestError(Reason.PIXEL_FORMAT, f"{finding} {path}")
    if not 0 < header.rows * header.columns <= LARGEST_PIXELS:
        finding = f"{header.rows}x{header.columns} pixels in {path}, at most {LARGEST_PIXELS}"
        raise IngestError(Reason.PIXEL_FORMAT, finding)


def _check_length(header: Slice) -> None:
    """Refuse a file that holds less, or more, than the pixels its header states."""
    path, pixels = header.path, header.pixels
    if said := describe_conflicting_syntax([header]):
        raise IngestError(Reason.CONFLICTING_SYNTAX, f"{said} ({path})")
    if pixels is None or pixels.missing_bytes:
        raise IngestError(Reason.TRUNCATED, f"{path} ends before or within its pixels")
    expected = header.rows * header.columns * header.samples * header.bits_allocated // 8
    if header.transfer_syntax == uid.RLELossless:
        _refuse_short(pixels.length * RLE_RATIO, expected, path)
    if pixels.compressed and not is_plausible(expected, pixels.compressed):
        finding = f"{pixels.compressed} compressed bytes of {path} would expand to {expected}"
        raise IngestError(Reason.TOO_LARGE, finding)
    check_room(path, 2 * expected)
    if pixels.is_encapsulated:
        return
    if header.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3  # two pixels share their chrominance
    _refuse_short(pixels.length, expected, path)
    if pixels.length > expected + 1:  # one byte of padding makes the length even
        finding = f"{path} holds {pixels.length} bytes of pixels, {expected} are stated"
        raise IngestError(Reason.TRAILING_BYTES, finding)


def _refuse_short(held: int, expected: int, path: Path) -> None:
    if held < expected:
        raise IngestError(Reason.TRUNCATED, f"{path} holds {held} of {expected} bytes of pixels")


def _check_codestream(dataset: pydicom.Dataset, header: Slice) -> None:
    """Refuse a compressed frame that contradicts the header, before it is decoded."""
    is_rle = header.transfer_syntax == uid.RLELossless
    if is_rle or header.pixels is None or not header.pixels.is_encapsulated:
        return
    found = list(find_codestreams(dataset.PixelData))
    if len(found) != 1:
        finding = f"{header.path} states one frame and holds {len(found)} codestreams"
        raise IngestError(Reason.UNDECODABLE, finding)
    if said := describe_header_conflict(found[0], header):
        raise IngestError(Reason.UNDECODABLE, f"{header.path} holds {said}")


def _to_colours(samples: np.ndarray, header: Slice, *, palette: np.ndarray | None) -> np.ndarray:
    """Decoded samples, (rows, columns) or (rows, columns, 3), to (3, rows, columns)."""
    size = (header.rows, header.columns)
    if samples.shape != (size if header.samples == 1 else (*size, 3)):
        finding = f"{header.path} decodes to {samples.shape}, not {size} pixels"
        raise IngestError(Reason.UNDECODABLE, finding)
    if palette is not None:
        return np.moveaxis(palette[np.minimum(samples, len(palette) - 1)], -1, 0)
    if header.photometric == "MONOCHROME1":
        samples = 255 - samples
    if samples.ndim == 2:
        return np.stack([samples] * 3)
    return np.ascontiguousarray(np.moveaxis(samples, -1, 0))


def _read_palette(dataset: pydicom.Dataset, path: Path) -> np.ndarray:
    """Read the colour of each sample value from 0, (values, 3) uint8; the last one is repeated."""
    columns = [_read_palette_column(dataset, colour, path) for colour in _COLOURS]
    longest = max(map(len, columns))
    palette = np.stack([np.pad(c, (0, longest - len(c)), mode="edge") for c in columns], axis=1)
    if not palette.any():
        raise IngestError(Reason.PIXEL_FORMAT, f"the palette of {path} is black")
    return palette


def _read_palette_column(dataset: pydicom.Dataset, colour: str, path: Path) -> np.ndarray:
    """Read one look-up table by sample value; values below the first one mapped have its entry."""
    descriptor = dataset.get(f"{colour}PaletteColorLookupTableDescriptor")
    data = dataset.get(f"{colour}PaletteColorLookupTableData")
    if descriptor is None or len(descriptor) != 3 or not isinstance(data, bytes):
        raise IngestError(Reason.PIXEL_FORMAT, f"{path} has no plain {colour.lower()} palette")
    count, first, bits = (int(value) & 0xFFFF for value in descriptor)  # may be read as signed
    entries = _read_palette_entries(data, count or 2**16, bits=bits, dataset=dataset)
    if entries is None:
        stated = f"{count or 2**16} entries of {bits} bits in {len(data)} bytes"
        finding = f"the {colour.lower()} palette of {path} has {stated}"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
    return np.concatenate([np.repeat(entries[:1], first), entries])


def _read_palette_entries(
    data: bytes, count: int, *, bits: int, dataset: pydicom.Dataset
) -> np.ndarray | None:
    """Read entries as 8 bits, from 8 or 16. None where the lengths contradict each other."""
    if bits == 8 and len(data) in (count, count + 1):
        return np.frombuffer(data, dtype=np.uint8)[:count]
    if bits not in (8, 16) or len(data) != 2 * count:
        return None
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    words = np.frombuffer(data, dtype=f"{order}u2")
    if bits == 8 and words.max() > np.iinfo(np.uint8).max:
        return None
    return (words if bits == 8 else words >> 8).astype(np.uint8)
