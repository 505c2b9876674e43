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

from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.room import check_room
from medseg.ingest.streams import MOST_INFLATED, Stream, opened, skip, take
from medseg.ingest.volume_header import VolumeHeader

PADDING_BYTES = 4096
"""So many zeros may follow the voxels: one block of a disk, as some writers fill it."""


def check_promise(header: VolumeHeader) -> None:
    """Refuse a header that promises more than its files can hold.

    Raises:
        IngestError: "truncated".
    """
    for file in header.files:
        size = file.stat().st_size
        most = (size - header.packed_from) * MOST_INFLATED.get(header.packing, math.inf)
        if header.end > most and header.packing != "text":
            finding = f"{file} has {size} bytes and holds at most {most:.0f} of {header.end} bytes"
            raise IngestError(Reason.TRUNCATED, finding)


def check_volume(header: VolumeHeader, volume: int | None) -> int:
    """The index of the volume to read, if it is clear which.

    Raises:
        IngestError: "not-3d" where none of several was chosen, "unknown-volume".
    """
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
    start, size = _wanted(header, index)
    stored = _stored(header, start, size)
    if stored.size == math.prod(header.geometry.shape):
        return stored.reshape(header.geometry.shape, order="F")
    return _volumes_last(stored, header)[..., index]


def read_volumes(header: VolumeHeader) -> np.ndarray:
    """All volumes as stored, (I, J, K, volumes). Raises as `read_voxels` does."""
    return _volumes_last(_stored(header, 0, header.size), header)


def scaled(stored: np.ndarray, scaling: tuple[float, float] | None) -> np.ndarray:
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


def _wanted(header: VolumeHeader, index: int) -> tuple[int, int]:
    """Where the bytes of a volume start among all voxels, and how many to read."""
    if header.axes != tuple(range(len(header.axes))):  # volumes lie between each other's voxels
        return 0, header.size
    size = header.size // header.volumes
    return index * size, size


def _volumes_last(stored: np.ndarray, header: VolumeHeader) -> np.ndarray:
    order = [*header.axes, *(a for a in range(len(header.shape)) if a not in header.axes)]
    whole = stored.reshape(header.shape, order="F").transpose(order)
    return whole.reshape((*header.geometry.shape, -1), order="F")


def _stored(header: VolumeHeader, start: int, size: int) -> np.ndarray:
    """The voxels in a range of the bytes of all, flat; those of a text are always all."""
    voxels = size // header.dtype.itemsize
    converted = 0 if is_kept(header.dtype, header.scaling) else 4 * voxels
    check_room(header.path, size + converted)
    if header.packing == "text":
        return _from_text(header)
    share = header.size // len(header.files)
    content = bytearray()
    for number, file in enumerate(header.files):
        low = min(max(start - number * share, 0), share)
        high = min(max(start + size - number * share, 0), share)
        content += _part(header, file, low, high, share=share)
    return np.frombuffer(content, dtype=header.dtype)


def _part(header: VolumeHeader, file: Path, low: int, high: int, *, share: int) -> bytearray:
    """The bytes from `low` to `high` of the voxels of one file, which holds `share` of them."""
    start = header.packed_from if header.offset >= 0 else -share
    offset = max(header.offset, 0)
    with opened(file, header.packing, start=start) as stream:
        passed = _move_on(stream, offset + low, file)
        voxels = take(stream, high - low)
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
    if header.has_footer:
        skip(stream, PADDING_BYTES * 2**10)
        return
    rest = take(stream, PADDING_BYTES + 1)
    if len(rest) > PADDING_BYTES or any(rest):
        finding = f"{file} goes on after the {header.end} bytes that its header promises"
        raise IngestError(Reason.TRAILING_BYTES, finding)


def _from_text(header: VolumeHeader) -> np.ndarray:
    """Voxels that are written as numbers, with spaces between them."""
    (file,) = header.files
    count = header.size // header.dtype.itemsize
    with opened(file, start=header.packed_from) as stream:
        words = take(stream, file.stat().st_size).split()
    if len(words) != count:
        reason = Reason.TRUNCATED if len(words) < count else Reason.TRAILING_BYTES
        raise IngestError(reason, f"{file} holds {len(words)} numbers, its header promises {count}")
    try:
        whole = header.dtype.kind in "iu"
        numbers = [int(word) if whole else float(word) for word in words]
        return np.array(numbers, dtype=header.dtype)
    except (ValueError, OverflowError) as error:
        raise IngestError(Reason.UNREADABLE, f"the numbers of {file} are damaged") from error
