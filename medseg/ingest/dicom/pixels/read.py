"""Pixels: decode sorted slices into one volume of physical values.

Uncompressed little endian samples are read straight from the file; every other transfer syntax goes
through pydicom's decoders, frame by frame. Values are stored value * RescaleSlope +
RescaleIntercept, per slice (PS3.3 C.11.1). MONOCHROME1 is a matter of display and changes no value.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes

from medseg.ingest.checks import check_room
from medseg.ingest.codestreams.codestream import Codestream, contradiction, stated
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.inflated import Inflated
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.decoders import DECODE_ERRORS, decode_frames
from medseg.ingest.dicom.pixels.histogram import BLOCK_SAMPLES
from medseg.ingest.dicom.pixels.unused_bits import HIGHEST_HU, surplus_of, without_unused_bits
from medseg.ingest.reasons import IngestError, Reason, explain

CT_PADDING_HU = -1024
"""Value of CT pixels that the scanner padded (outside its field of view): below any tissue."""

logger = logging.getLogger(__name__)

_INT16 = np.iinfo(np.int16)
_ELEMENT_HEADER_BYTES = 12  # of pixel data with explicit VR
_DECODED = (
    *("SOPClassUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
)
"""What a decoder needs; whatever else a file holds is passed over."""

_WITH_SIGN = (*JPEG2000TransferSyntaxes, *JPEGLSTransferSyntaxes)
"""pydicom extends or drops the sign of such samples by PixelRepresentation."""

_EXACT_IN_SINGLE = 2**24  # whole numbers up to here


def read_volume(slices: Sequence[Slice]) -> np.ndarray:
    """Decode the slices of one accepted series, in their order.

    CT is in HU. Pixels equal to PixelPaddingValue become `CT_PADDING_HU` in CT and keep their value
    in other modalities.

    Args:
        slices: headers of equal matrix size, sorted along the slice normal.

    Returns:
        (columns, rows, slices): int16 where every value is exact in it, else float32; float64 where
        stored values of more than 24 bits would lose some in single precision.

    Raises:
        IngestError: "undecodable", "truncated", "no-memory" or "conflicting-rescale", naming the
            file.
    """
    is_whole = all(value.is_integer() for s in slices for value in s.rescale)
    shape = (len(slices), slices[0].rows, slices[0].columns)
    least = np.dtype(np.int16 if is_whole else np.float32)
    check_room(slices[0].path.parent, math.prod(shape) * least.itemsize)
    volume = np.empty(shape, dtype=least)
    for k, stored in stored_planes(slices):
        dtype = np.promote_types(volume.dtype, _dtype(stored, slices[k], is_whole=is_whole))
        volume = volume.astype(dtype, copy=False)
        _rescale(stored, slices[k], out=volume[k])
    _warn_of_impossible(volume, slices[0])
    return volume.transpose(2, 1, 0)


def _warn_of_impossible(volume: np.ndarray, header: Slice) -> None:
    """Say what the few slices that the verdict looked at did not show."""
    is_hu = header.kind == "CT" and header.rescale_type in ("", "HU")
    if header.sample_notes or not is_hu or volume.dtype == np.int16:
        return
    if (highest := float(volume.max())) > HIGHEST_HU:
        finding = f"values up to {highest:g} HU, which CT never has, in {header.path.parent}"
        logger.warning("%s", explain(Reason.UNLIKELY_VALUES, finding))


def _kept(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Samples without what lies above BitsStored; what is lost with it is said."""
    if header.is_swapped:
        samples.byteswap(inplace=True)
    if header.bits_stored < 8 * samples.itemsize and not header.sample_notes:
        flat = samples.reshape(-1)
        starts = range(0, flat.size, BLOCK_SAMPLES)
        if count := sum(_surplus(flat[k : k + BLOCK_SAMPLES], header) for k in starts):
            finding = f"{count} voxels of {header.path} hold more bits than BitsStored"
            logger.warning("%s", explain(Reason.UNLIKELY_VALUES, finding))
    return without_unused_bits(samples, header)


def _surplus(samples: np.ndarray, header: Slice) -> int:
    masks = surplus_of(samples, header)
    return 0 if masks is None else int(np.count_nonzero(masks[0]))


def stored_planes(slices: Sequence[Slice]) -> Iterator[tuple[int, np.ndarray]]:
    """The place of each slice and its samples as stored: (rows, columns), native byte order.

    Files come in the order of their first slice, and the frames of one in the order of the file.
    """
    places: dict[Path, list[int]] = {}
    for k, header in enumerate(slices):
        places.setdefault(header.path, []).append(k)
    for of_one_file in places.values():
        in_file_order = sorted(of_one_file, key=lambda k: slices[k].frame or 0)
        headers = [slices[k] for k in in_file_order]
        yield from zip(in_file_order, _stored_in_one_file(headers), strict=True)


def _stored_in_one_file(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """The samples of some slices of one file, of 8, 16 or 32 bits."""
    first = headers[0]
    is_plain = first.transfer_syntax.is_little_endian and not first.transfer_syntax.is_encapsulated
    if not is_plain or first.pixels is None:
        yield from _decode(headers)
    elif first.pixels.offset is None:
        yield from _inflate(headers)
    else:
        for header in headers:
            offset = first.pixels.offset + (header.frame or 0) * header.plane_bytes
            yield _read_plain(header, offset)


def _read_plain(header: Slice, offset: int) -> np.ndarray:
    size = header.rows * header.columns
    samples = np.fromfile(header.path, dtype=_little_endian(header), count=size, offset=offset)
    return _plane(samples, header)


def _inflate(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Some frames of a deflated file, in the order of the file, one at a time."""
    path = headers[0].path
    with BoundedFile(path) as file:
        try:
            stream, start = _deflated_pixels(file, headers[0])
            for header in headers:
                stream.seek(start + (header.frame or 0) * header.plane_bytes)
                content, dtype = stream.read(header.plane_bytes), _little_endian(header)
                count = len(content) // dtype.itemsize
                yield _plane(np.frombuffer(content, dtype, count).copy(), header)
        except zlib.error as error:
            finding = f"{path} in {headers[0].transfer_syntax.name}"
            raise IngestError(Reason.UNDECODABLE, finding) from error


def _deflated_pixels(file: BinaryIO, header: Slice) -> tuple[BinaryIO | Inflated, int]:
    """The inflated stream of a file, and where its pixels begin in it."""
    pixel_bytes = header.plane_bytes * max(1, header.frames) + _ELEMENT_HEADER_BYTES
    parsed = parse(file, header.path, keywords=("SOPClassUID",), pixel_bytes=pixel_bytes)
    if parsed is None:
        raise IngestError(Reason.UNREADABLE, f"{header.path} is no DICOM any more")
    return parsed.stream, parsed.stream.tell() + _ELEMENT_HEADER_BYTES


def _little_endian(header: Slice) -> np.dtype:
    kind = "i" if header.pixel_representation else "u"
    return np.dtype(f"<{kind}{header.bits_allocated // 8}")


def _plane(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Samples as a plane, (rows, columns), where all are there."""
    size = header.rows * header.columns
    if samples.size != size:
        raise IngestError(
            Reason.TRUNCATED, f"{header.path} holds {samples.size} of {size} pixel samples"
        )
    return _kept(samples, header).reshape(header.rows, header.columns)


def _decode(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Decode some frames of one file, in the order of the file, one at a time."""
    decoded = _decoded(headers)
    for header in headers:
        try:
            samples = next(decoded)
        except IngestError:
            raise
        except (*DECODE_ERRORS, StopIteration) as error:
            finding = f"{header.path} in {header.transfer_syntax.name}"
            raise IngestError(Reason.UNDECODABLE, finding) from error
        if samples.shape != (header.rows, header.columns):
            size = (header.rows, header.columns)
            finding = f"{header.path} decodes to {samples.shape}, not {size} pixels"
            raise IngestError(Reason.UNDECODABLE, finding)
        yield samples


def _decoded(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    first = headers[0]
    dataset = _whole(first.path)
    is_compressed = first.transfer_syntax.is_encapsulated
    codestreams = list(stated(dataset.PixelData)) if is_compressed else []
    for codestream in codestreams:  # before a decoder allocates what it states
        if said := contradiction(codestream, first):
            raise IngestError(Reason.UNDECODABLE, f"{first.path} holds {said}")
    if first.transfer_syntax in _WITH_SIGN:
        dataset.PixelRepresentation = first.pixel_representation
    for samples in decode_frames(dataset, [header.frame or 0 for header in headers]):
        samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        if dataset.PixelRepresentation != first.pixel_representation:  # found to be stated wrongly
            kind = "i" if first.pixel_representation else "u"
            samples = samples.view(f"{kind}{samples.itemsize}")
        yield _within_bits_stored(samples, first, codestreams=codestreams)


def _within_bits_stored(
    samples: np.ndarray, header: Slice, *, codestreams: Sequence[Codestream]
) -> np.ndarray:
    """Samples whose bits above BitsStored say nothing.

    RLE and uncompressed samples have whatever was there, JPEG has it where a codestream is deeper
    than BitsStored; of two's complement in such a one the sign is extended. In another, where
    nothing was lost, a value that does not fit shows that BitsStored is wrong.
    """
    if not codestreams:
        return _kept(samples, header)
    cut = without_unused_bits(samples.copy(), header)
    if header.pixel_representation == 1 and not any(c.is_signed for c in codestreams):
        return cut
    if max(codestream.bits for codestream in codestreams) <= header.bits_stored:
        return samples
    if not header.is_lossy and (cut != samples).any():
        finding = f"{header.path} holds values of more than {header.bits_stored} bits"
        remedy = "export it again with the BitsStored of its pixels"
        raise IngestError(Reason.UNDECODABLE, finding, remedy=remedy)
    return samples


def _whole(path: Path) -> pydicom.Dataset:
    """The pixels of a file, how they are stored and a transfer syntax, inflated if deflated."""
    with BoundedFile(path) as file:
        parsed = parse(file, path, keywords=_DECODED, with_pixels=True)
    if parsed is None:
        raise ValueError("no DICOM any more")
    return parsed.dataset


def _dtype(stored: np.ndarray, header: Slice, *, is_whole: bool) -> type[np.generic]:
    """The least type of a volume in which no value of a slice loses what was stored."""
    slope, intercept = header.rescale
    lowest, highest = float(stored.min()), float(stored.max())
    low, high = sorted((lowest * slope + intercept, highest * slope + intercept))
    if is_whole and low >= _INT16.min and high <= _INT16.max:
        return np.int16
    if max(-lowest, highest) <= _EXACT_IN_SINGLE:
        return np.float32
    return np.float32 if is_whole and max(-low, high) <= _EXACT_IN_SINGLE else np.float64


def _rescale(stored: np.ndarray, header: Slice, *, out: np.ndarray) -> None:
    check_mapped(stored, header)
    slope, intercept = header.rescale
    if out.dtype == np.int16:
        _rescale_modulo(stored, int(slope), intercept=int(intercept), out=out)
    else:
        rows = max(1, BLOCK_SAMPLES // max(1, stored.shape[1]))
        for row in range(0, len(stored), rows):  # in blocks: the product is of double precision
            out[row : row + rows] = stored[row : row + rows] * slope + intercept
    if header.rescaled_kind == "CT" and header.padding is not None:
        low, high = np.array(header.padding).astype(stored.dtype)  # its VR may differ in sign
        out[(stored >= low) & (stored <= high)] = CT_PADDING_HU


def real_values(stored: np.ndarray, header: Slice) -> np.ndarray:
    """The values of samples as a volume has them, in double precision: (rows, columns).

    Raises:
        IngestError: "conflicting-rescale", see `check_mapped`.
    """
    values = np.zeros(stored.shape)
    _rescale(stored, header, out=values)
    return values + 0.0  # no negative zero


def check_mapped(stored: np.ndarray, header: Slice) -> None:
    """Refuse values beyond those that a real world value mapping is stated for.

    Args:
        stored: samples without what lies above BitsStored.
        header: of the slice.

    Raises:
        IngestError: "conflicting-rescale", with both ranges.
    """
    if not header.is_real_world:
        return
    (mapping,) = header.real_world
    low, high = int(stored.min()), int(stored.max())
    if low < mapping.first or high > mapping.last:
        stated = f"its real world mapping is for {mapping.first:g} to {mapping.last:g}"
        finding = f"{header.path} holds values from {low} to {high} and {stated}"
        raise IngestError(Reason.CONFLICTING_RESCALE, finding)


def _rescale_modulo(stored: np.ndarray, slope: int, *, intercept: int, out: np.ndarray) -> None:
    """Rescale within 16 bits: sums and products modulo 2**16 are right where the result fits."""
    out[...] = stored
    if slope != 1:
        out *= np.array(slope, dtype=np.int64).astype(np.int16)
    if intercept != 0:
        out += np.array(intercept, dtype=np.int64).astype(np.int16)
