"""Stored planes: read the samples of slices as their files hold them.

Uncompressed little endian samples are read straight from the file. Compressed ones are too, and go
through a decoder, frame by frame. The header told where they lie and how they are laid out, so only
a file in big endian or deflated is parsed again. Bits above BitsStored are left out.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes

from medseg.ingest.codestreams.codestream import Codestream, find_codestreams
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.inflated import InflatedStream
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.decoders import DECODE_ERRORS, decode_frames
from medseg.ingest.dicom.pixels.histogram import BLOCK_SAMPLES
from medseg.ingest.dicom.pixels.pixel_rules import describe_header_conflict
from medseg.ingest.dicom.pixels.unused_bits import drop_unused_bits, find_surplus
from medseg.ingest.reasons import IngestError, Reason, explain

logger = logging.getLogger(__name__)

_ELEMENT_HEADER_BYTES = 12  # of pixel data with explicit VR
_DECODED = (
    *("SOPClassUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("BitsStored", "PixelRepresentation", "PhotometricInterpretation", "PixelData"),
)
"""The elements that the parser and a decoder need of one sample per pixel; others are left out."""

_WITH_SIGN = (*JPEG2000TransferSyntaxes, *JPEGLSTransferSyntaxes)
"""pydicom extends or drops the sign of such samples by PixelRepresentation."""


def read_stored_planes(slices: Sequence[Slice]) -> Iterator[tuple[int, np.ndarray]]:
    """Read the place of each slice and its samples as stored: (rows, columns), native byte order.

    Files come in the order of their first slice, and the frames of one in the order of the file.
    """
    places: dict[Path, list[int]] = {}
    for k, header in enumerate(slices):
        places.setdefault(header.path, []).append(k)
    for of_one_file in places.values():
        in_file_order = sorted(of_one_file, key=lambda k: slices[k].frame or 0)
        headers = [slices[k] for k in in_file_order]
        yield from zip(in_file_order, _read_one_file(headers), strict=True)


def _read_one_file(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Read the samples of some slices of one file, of 8, 16 or 32 bits."""
    first = headers[0]
    is_plain = first.transfer_syntax.is_little_endian and not first.transfer_syntax.is_encapsulated
    if not is_plain or first.pixels is None:
        yield from _decode_file(headers)
    elif first.pixels.offset is None:
        yield from _inflate_frames(headers)
    else:
        for header in headers:
            offset = first.pixels.offset + (header.frame or 0) * header.plane_bytes
            yield _read_plain(header, offset)


def _read_plain(header: Slice, offset: int) -> np.ndarray:
    size = header.rows * header.columns
    samples = np.fromfile(
        header.path, dtype=_find_little_endian_type(header), count=size, offset=offset
    )
    return _to_plane(samples, header)


def _inflate_frames(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Inflate some frames of one file, in the order of the file, one at a time."""
    path = headers[0].path
    with BoundedFile(path) as file:
        try:
            stream, start = _find_deflated_pixels(file, headers[0])
            for header in headers:
                stream.seek(start + (header.frame or 0) * header.plane_bytes)
                content, dtype = stream.read(header.plane_bytes), _find_little_endian_type(header)
                count = len(content) // dtype.itemsize
                yield _to_plane(np.frombuffer(content, dtype, count).copy(), header)
        except zlib.error as error:
            finding = f"{path} in {headers[0].transfer_syntax.name}"
            raise IngestError(Reason.UNDECODABLE, finding) from error


def _find_deflated_pixels(file: BinaryIO, header: Slice) -> tuple[BinaryIO | InflatedStream, int]:
    """Open the inflated stream of a file; return it and the place of its pixels."""
    pixel_bytes = header.plane_bytes * max(1, header.frames) + _ELEMENT_HEADER_BYTES
    parsed = parse(file, header.path, keywords=("SOPClassUID",), pixel_bytes=pixel_bytes)
    if parsed is None:
        raise IngestError(Reason.UNREADABLE, f"{header.path} was changed during reading")
    return parsed.stream, parsed.stream.tell() + _ELEMENT_HEADER_BYTES


def _find_little_endian_type(header: Slice) -> np.dtype:
    kind = "i" if header.pixel_representation else "u"
    return np.dtype(f"<{kind}{header.bits_allocated // 8}")


def _to_plane(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Shape samples as a plane, (rows, columns), after a check that all are there."""
    size = header.rows * header.columns
    if samples.size != size:
        raise IngestError(
            Reason.TRUNCATED, f"{header.path} holds {samples.size} of {size} pixel samples"
        )
    return _tidy_samples(samples, header).reshape(header.rows, header.columns)


def _decode_file(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Decode some frames of one file, in the order of the file, one at a time."""
    decoded = _decode_and_check(headers)
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


def _decode_and_check(headers: Sequence[Slice]) -> Iterator[np.ndarray]:
    first = headers[0]
    is_compressed = first.transfer_syntax.is_encapsulated
    dataset = _read_compressed(first) if is_compressed else _parse_pixels(first.path)
    codestreams = list(find_codestreams(dataset.PixelData)) if is_compressed else []
    for codestream in codestreams:  # before a decoder allocates what it states
        if said := describe_header_conflict(codestream, first):
            raise IngestError(Reason.UNDECODABLE, f"{first.path} holds {said}")
    if first.transfer_syntax in _WITH_SIGN:
        dataset.PixelRepresentation = first.pixel_representation
    for samples in decode_frames(dataset, [header.frame or 0 for header in headers]):
        samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        if dataset.PixelRepresentation != first.pixel_representation:  # found to be stated wrongly
            kind = "i" if first.pixel_representation else "u"
            samples = samples.view(f"{kind}{samples.itemsize}")
        yield _check_bits_stored(samples, first, codestreams=codestreams)


def _check_bits_stored(
    samples: np.ndarray, header: Slice, *, codestreams: Sequence[Codestream]
) -> np.ndarray:
    """Drop the bits above BitsStored, or refuse samples that need them.

    In run-length coded and uncompressed samples they are dropped. In a codestream they are there if
    it is deeper than BitsStored: the sign of two's complement is extended; in other samples without
    loss, a value that needs them shows that BitsStored is wrong.
    """
    if not codestreams:
        return _tidy_samples(samples, header)
    cut = drop_unused_bits(samples.copy(), header)
    if header.pixel_representation == 1 and not any(c.is_signed for c in codestreams):
        return cut
    if max(codestream.bits for codestream in codestreams) <= header.bits_stored:
        return samples
    if not header.is_lossy and (cut != samples).any():
        finding = f"{header.path} holds values of more than {header.bits_stored} bits"
        remedy = "export it again with the BitsStored of its pixels"
        raise IngestError(Reason.UNDECODABLE, finding, remedy=remedy)
    return samples


def _read_compressed(header: Slice) -> pydicom.Dataset:
    """Read compressed pixels from their place, with the elements that a decoder needs.

    Raises:
        ValueError: the file has no compressed pixels, or not as many bytes as its header told.
    """
    pixels = header.pixels
    if pixels is None or pixels.offset is None:
        raise ValueError("no compressed pixels")
    with header.path.open("rb") as file:
        file.seek(pixels.offset)
        content = file.read(pixels.length)
    if len(content) < pixels.length:
        raise ValueError("the file was changed during reading")
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = header.transfer_syntax
    dataset.Rows, dataset.Columns = header.rows, header.columns
    dataset.NumberOfFrames, dataset.SamplesPerPixel = header.frames, header.samples
    dataset.PhotometricInterpretation = header.photometric
    dataset.BitsAllocated, dataset.BitsStored = header.bits_allocated, pixels.stated_bits
    dataset.PixelRepresentation = pixels.stated_representation
    dataset.add_new("PixelData", "OB", content)
    return dataset


def _parse_pixels(path: Path) -> pydicom.Dataset:
    """Parse the elements of an uncompressed file that a decoder needs."""
    with BoundedFile(path) as file:
        parsed = parse(file, path, keywords=_DECODED, with_pixels=True)
    if parsed is None:
        raise ValueError("the file was changed during reading")
    return parsed.dataset


def _tidy_samples(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Put the bytes of samples in order and drop the bits above BitsStored, with a warning."""
    if header.is_swapped:
        samples.byteswap(inplace=True)
    if header.bits_stored < 8 * samples.itemsize and not header.sample_notes:
        flat = samples.reshape(-1)
        starts = range(0, flat.size, BLOCK_SAMPLES)
        if count := sum(_count_surplus(flat[k : k + BLOCK_SAMPLES], header) for k in starts):
            finding = f"{count} voxels of {header.path} hold more bits than BitsStored"
            logger.warning("%s", explain(Reason.UNLIKELY_VALUES, finding))
    return drop_unused_bits(samples, header)


def _count_surplus(samples: np.ndarray, header: Slice) -> int:
    masks = find_surplus(samples, header)
    return 0 if masks is None else int(np.count_nonzero(masks[0]))
