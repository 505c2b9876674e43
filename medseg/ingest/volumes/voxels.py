"""Voxels: one volume of a file whose header was checked, in the order of its axes.

Every read is bounded by the promise of the header, which in turn is bounded by the size of the file
and by the memory that is free. A lying header therefore costs no memory, and no more is inflated
than it promises. The file must hold exactly what is promised, checksum included.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np

from medseg.ingest.checks import check_room
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import VolumeHeader, check_index
from medseg.ingest.volumes.streams import (
    MOST_INFLATED,
    Stream,
    open_stream,
    read_gzip_length,
    read_up_to,
    skip,
)
from medseg.ingest.volumes.text_voxels import check_count, parse_text

PACKINGS = ("gzip", "zlib", "bzip2")

UNASKED_BYTES, MOST_OF_IMAGE = 2**28, 200
"""Larger images may have this many bytes for each byte of their file; scans stay below 50."""

IMAGE_COPIES = 2
"""How often an image is in memory in single precision, beside its voxels as stored, before its
network runs: as read, and in the order of the network's axes."""

MOST_SKIPPED = 2**24
"""At most this many packed bytes may precede the voxels: headers and extensions."""

PADDING_BYTES = 4096
"""At most this many zeros may follow the voxels: some writers fill a block of the disk."""

MOST_PACKING_BYTES, MOST_PACKED_SHARE = 2**16, 8
"""Packing adds at most this many bytes, and one for each 8 bytes that it cannot compress."""


def check_promise(header: VolumeHeader) -> None:
    """Refuse a header that promises more than its files can hold.

    Raises:
        IngestError: "truncated", "too-large".
    """
    for file in header.files:
        size = file.stat().st_size
        most = (size - header.packed_from) * MOST_INFLATED.get(header.packing, math.inf)
        if header.packing == "text":  # a digit for each number, and a blank between two
            check_count(header, file, (size - header.packed_from + 1) // 2)
        elif header.end > most:
            finding = f"{file} has {size} bytes and holds at most {most:.0f} of {header.end} bytes"
            raise IngestError(Reason.TRUNCATED, finding)
    if header.packing in PACKINGS and header.offset > MOST_SKIPPED:
        finding = f"{header.path} states {header.offset} packed bytes to skip before its voxels"
        remedy = f"write it again with at most {MOST_SKIPPED} bytes before the voxels"
        raise IngestError(Reason.TOO_LARGE, finding, remedy=remedy)


def check_image(header: VolumeHeader) -> None:
    """Refuse an image without room for what is made of it, or that `check_ratio` refuses.

    Raises:
        IngestError: "too-large", "no-memory".
    """
    check_ratio(header)
    voxels = math.prod(header.geometry.shape)
    check_room(header.path, voxels * (header.dtype.itemsize + 4 * IMAGE_COPIES))


def check_ratio(header: VolumeHeader) -> None:
    """Refuse an image that is blank or a bomb, by its header and the size of its files.

    Labels are not held to this: a label map without any region is what it is.

    Raises:
        IngestError: "too-large".
    """
    for file in header.files:
        packed = max(file.stat().st_size - header.packed_from, 1)
        ratio = header.end / packed
        if header.packing in PACKINGS and header.end > UNASKED_BYTES and ratio > MOST_OF_IMAGE:
            finding = (
                f"{packed} bytes of {file} expand to {header.end}, {ratio:.0f} times as many: it "
                "is blank, or made to fill memory"
            )
            remedy = (
                f"an image has at most {MOST_OF_IMAGE}, a label map may have more; "
                f"leave it out, or write it uncompressed"
            )
            raise IngestError(Reason.TOO_LARGE, finding, remedy=remedy)


def check_excess(header: VolumeHeader) -> None:
    """Refuse files that hold more than is promised, as reading the voxels would.

    A packed file is unpacked, and forgotten, only where its size, or what it says of itself, shows
    that something is wrong: as a rule it goes on, but it may also be cut or damaged.

    Raises:
        IngestError: "trailing-bytes", "truncated" or "unreadable".
    """
    is_packed = header.packing in PACKINGS
    if header.packing == "text" or (is_packed and header.end > UNASKED_BYTES):
        return
    for file in header.files:
        if not is_packed or _seems_to_go_on(header, file):
            share = header.size // len(header.files)
            _read_part(header, file, 0, 0, share=share)


def _seems_to_go_on(header: VolumeHeader, file: Path) -> bool:
    """By its size, which packing does not increase much, and the length that gzip states."""
    end = header.end + max(header.footer_bytes, PADDING_BYTES)
    packed = file.stat().st_size - header.packed_from
    most = end + end // MOST_PACKED_SHARE + MOST_PACKING_BYTES
    return packed > most or (header.packing == "gzip" and read_gzip_length(file) > end)


def check_volume(header: VolumeHeader, volume: int | None) -> int:
    """The index of the volume to read, if it is clear which.

    Raises:
        IngestError: "not-3d" where none of several was chosen, "unknown-volume".
        TypeError: the index is no whole number.
    """
    check_index(volume)
    count = header.volumes
    if volume is None and count > 1:
        finding = f"{header.path} has shape {header.shape}, not one volume"
        raise IngestError(Reason.NOT_3D, finding)
    if volume is not None and not 0 <= volume < count:
        finding = f"no volume {volume} in {header.path}, which holds {count}"
        raise IngestError(Reason.UNKNOWN_VOLUME, finding)
    return volume or 0


def read_voxels(header: VolumeHeader, *, volume: int | None = None) -> np.ndarray:
    """One volume as stored, (I, J, K); packed files are read to their checksum.

    Args:
        header: of the file.
        volume: which one of several, counted from 0, the first axis that is none of I, J and K
            fastest; None refuses a file of several.

    Raises:
        IngestError: "not-3d", "unknown-volume", "no-memory", "truncated", "trailing-bytes" or
            "unreadable".
    """
    index = check_volume(header, volume)
    start, size = _find_bytes(header, index)
    stored = _read_stored(header, start, size)
    if stored.size == math.prod(header.geometry.shape):
        return stored.reshape(header.geometry.shape, order="F")
    return _put_volumes_last(stored, header)[..., index]


def read_volumes(header: VolumeHeader) -> np.ndarray:
    """All volumes as stored, (I, J, K, volumes). Raises as `read_voxels` does."""
    return _put_volumes_last(_read_stored(header, 0, header.size), header)


def apply_scaling(stored: np.ndarray, scaling: tuple[float, float] | None) -> np.ndarray:
    """Values of stored voxels: integers without scaling keep their type, the others are float32.

    Scaling is applied in double precision before values become single.
    """
    if is_kept(stored.dtype, scaling):
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    slope, intercept = scaling or (1.0, 0.0)
    values = np.empty(stored.shape, dtype=np.float32, order="F")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused after
        for k in range(stored.shape[2]):  # slice by slice, so that doubles stay few
            values[..., k] = stored[..., k].astype(np.float64) * slope + intercept
    return values


def is_kept(dtype: np.dtype, scaling: tuple[float, float] | None) -> bool:
    """Whether voxels stay as stored: whole numbers and single precision, without scaling."""
    return scaling is None and (dtype.kind in "iu" or dtype.newbyteorder("=") == np.float32)


def _find_bytes(header: VolumeHeader, index: int) -> tuple[int, int]:
    """Where the bytes of a volume start among all voxels, and how many to read."""
    if header.axes != tuple(range(len(header.axes))):  # volumes lie between each other's voxels
        return 0, header.size
    size = header.size // header.volumes
    return index * size, size


def _put_volumes_last(stored: np.ndarray, header: VolumeHeader) -> np.ndarray:
    order = [*header.axes, *(a for a in range(len(header.shape)) if a not in header.axes)]
    whole = stored.reshape(header.shape, order="F").transpose(order)
    return whole.reshape((*header.geometry.shape, -1), order="F")


def _read_stored(header: VolumeHeader, start: int, size: int) -> np.ndarray:
    """The voxels in a range of the bytes of all, flat; those of a text are always all."""
    voxels = size // header.dtype.itemsize
    converted = 0 if is_kept(header.dtype, header.scaling) else 4 * voxels
    check_room(header.path, size + converted)
    if header.packing == "text":
        return parse_text(header)
    share = header.size // len(header.files)
    content = bytearray()
    for number, file in enumerate(header.files):
        low = min(max(start - number * share, 0), share)
        high = min(max(start + size - number * share, 0), share)
        content += _read_part(header, file, low, high, share=share)
    return np.frombuffer(content, dtype=header.dtype)


def _read_part(header: VolumeHeader, file: Path, low: int, high: int, *, share: int) -> bytearray:
    """The bytes from `low` to `high` of the voxels of one file, which holds `share` of them."""
    start = header.packed_from if header.offset >= 0 else -share
    offset = max(header.offset, 0)
    with open_stream(file, header.packing, start=start) as stream:
        passed = _move_on(stream, offset + low, file)
        voxels = read_up_to(stream, high - low)
        passed += len(voxels)
        passed += _move_on(stream, share - high, file)
        if passed < offset + share:
            finding = f"{file} holds {passed} of {offset + share} bytes"
            raise IngestError(Reason.TRUNCATED, finding)
        _check_rest(stream, header, file)
    return voxels


def _move_on(stream: Stream, size: int, file: Path) -> int:
    """Go on by `size` bytes, without reading them where the file is plain."""
    if not isinstance(stream, io.BufferedReader):
        return skip(stream, size)
    left = file.stat().st_size - stream.tell()
    stream.seek(min(size, max(left, 0)), 1)
    return min(size, max(left, 0))


def _check_rest(stream: Stream, header: VolumeHeader, file: Path) -> None:
    """Refuse what follows the voxels; a packed stream is read to its checksum."""
    most = max(header.footer_bytes, PADDING_BYTES)
    rest = read_up_to(stream, most + 1)
    if len(rest) > most or (not header.footer_bytes and any(rest)):
        finding = f"{file} continues after the {header.end} bytes that its header promises"
        raise IngestError(Reason.TRAILING_BYTES, finding)
