"""Nifti: one volume from a NIfTI file whose header can be trusted.

Checked: the file holds exactly what its header promises (gzip checksum included), one volume or one
that was chosen, real scalar voxels, finite values, an orientation that is stated, is in
millimetres, does not contradict itself and has no shear.

The header is read first and every further read is bounded by its promise, which in turn is bounded
by the size of the file. A lying header therefore costs no memory, and no more is inflated than it
promises.
"""

from __future__ import annotations

import gzip
import logging
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.checks import check_finite
from medseg.ingest.nifti_header import NiftiHeader, parse_header
from medseg.ingest.reasons import IngestError, Reason, explain

logger = logging.getLogger(__name__)

SUFFIXES = (".nii", ".nii.gz")

DEFLATE_RATIO = 1032
"""The most bytes that one byte of a deflate stream can stand for (zlib, "Technical Details")."""

PADDING_BYTES = 4096
"""So many zeros may follow the voxels: one block of a disk, as some writers fill it."""

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
_CHUNK_BYTES = 2**20
_PAIR_HEADERS = (".hdr", ".hdr.gz")
_PAIR_IMAGES = (".img", ".img.gz")


def is_nifti(path: str | Path) -> bool:
    """Tell by its name whether a path is a NIfTI file.

    The halves of an `.hdr` and `.img` pair count, so that `load_nifti` can refuse them by name. An
    `.img` without its `.hdr` does not: some scanners name DICOM so. Nor does a folder, which may be
    named after what was converted into it.
    """
    named = str(path).lower().endswith(SUFFIXES) or _is_half_of_a_pair(Path(path))
    return named and not Path(path).is_dir()


def load_nifti(
    path: str | Path, *, volume: int | None = None, convert_units: bool = False
) -> tuple[np.ndarray, Geometry]:
    """Load one volume from `.nii` or `.nii.gz`.

    The sform is used where its code is set, else the qform. Trailing axes of length 1 are dropped,
    and a 2D image becomes a volume of one slice. Scaling (scl_slope, scl_inter) is applied in
    double precision before values become single.

    Args:
        path: the file.
        volume: which one of a file of several, counted from 0 in the order of the file (the fourth
            axis fastest); None refuses such a file.
        convert_units: scale an affine that states metres or micrometres to millimetres, which is
            logged; False refuses it, since many such headers are wrong. An unstated unit is taken
            as millimetres.

    Returns:
        The volume (I, J, K) as stored, and its geometry. Integers without scaling keep their type;
        everything else is float32.

    Raises:
        IngestError: "not-found", "unknown-format", "paired-files", "truncated", "trailing-bytes",
            "unreadable", "not-3d", "unknown-volume", "voxel-type", "not-millimetres",
            "no-orientation", "conflicting-orientation", "invalid-geometry", "sheared-affine" or
            "non-finite", naming the file.

    Example:
        >>> volume, geometry = load_nifti("case.nii.gz")  # doctest: +SKIP

    Source: NIfTI-1 header, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
    """
    path = Path(path)
    with _opened(path) as file:
        header = _checked_header(file, path, convert_units=convert_units)
        if header.repair:
            logger.warning("%s", explain(Reason.CONVERTED_UNITS, header.repair))
        stored = _read_volume(file, header, volume=_chosen(header, volume))
    array = _values(stored, header)
    check_finite(array, name=str(path))
    return array, header.geometry


def read_nifti_header(path: str | Path, *, convert_units: bool = False) -> NiftiHeader:
    """Read and check the header alone, as `load_nifti` does before it reads any voxel.

    A file of several volumes passes; `volumes` tells how many it has.

    Raises:
        IngestError: as `load_nifti`, except for what only the voxels show.
    """
    path = Path(path)
    with _opened(path) as file:
        return _checked_header(file, path, convert_units=convert_units)


def _is_half_of_a_pair(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(_PAIR_HEADERS):
        return True
    if not name.endswith(_PAIR_IMAGES):
        return False
    stem = path.name[: name.rindex(".img")]
    return any(path.with_name(stem + suffix).is_file() for suffix in _PAIR_HEADERS)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, inflated while it is read; whatever is wrong with the stream is a refusal."""
    if not path.is_file():
        raise IngestError(Reason.NOT_FOUND, f"no such file: {path}")
    if _is_half_of_a_pair(path):
        raise IngestError(Reason.PAIRED_FILES, f"{path} is half of an .hdr and .img pair")
    is_gzip = path.suffix.lower() == ".gz"
    try:
        with path.open("rb") as raw:
            if not is_gzip:
                yield raw
                return
            _check_gzip_magic(raw, path)
            with gzip.GzipFile(fileobj=raw) as inflated:
                yield inflated  # type: ignore[misc]  # a BinaryIO in all but name
    except EOFError as error:
        raise IngestError(Reason.TRUNCATED, f"gzip stream of {path} ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise IngestError(Reason.UNREADABLE, f"gzip stream of {path} is damaged") from error
    except OSError as error:
        finding = f"{path} cannot be read ({type(error).__name__})"
        raise IngestError(Reason.UNREADABLE, finding) from error


def _check_gzip_magic(raw: BinaryIO, path: Path) -> None:
    start = raw.read(len(_GZIP_MAGIC))
    raw.seek(0)
    if start != _GZIP_MAGIC[: len(start)]:
        raise IngestError(Reason.UNKNOWN_FORMAT, f"{path} is no gzip file, whatever its name says")


def _checked_header(file: BinaryIO, path: Path, *, convert_units: bool) -> NiftiHeader:
    """The header of a file that is large enough for what it promises."""
    header = parse_header(file, path, convert_units=convert_units)
    size = path.stat().st_size
    most = size * DEFLATE_RATIO if isinstance(file, gzip.GzipFile) else size
    if header.end > most:
        finding = f"{path} has {size} bytes and holds at most {most} of {header.end} bytes"
        raise IngestError(Reason.TRUNCATED, finding)
    return header


def _chosen(header: NiftiHeader, volume: int | None) -> int:
    count = header.volumes
    if volume is None and count > 1:
        finding = f"{header.path} has shape {header.shape}, not one volume"
        raise IngestError(Reason.NOT_3D, finding)
    if volume is not None and not 0 <= volume < count:
        finding = f"no volume {volume} in {header.path}, which holds {count}"
        raise IngestError(Reason.UNKNOWN_VOLUME, finding)
    return volume or 0


def _read_volume(file: BinaryIO, header: NiftiHeader, *, volume: int) -> np.ndarray:
    """The voxels of one volume as stored, (I, J, K); a gzip stream is read to its checksum."""
    size = math.prod(header.geometry.shape) * header.dtype.itemsize
    start = header.offset + volume * size
    _skip(file, start - file.tell())
    voxels = _take(file, size)
    _skip(file, header.end - start - size)
    if len(voxels) < size or file.tell() < header.end:
        finding = f"{header.path} holds {file.tell()} of {header.end} bytes"
        raise IngestError(Reason.TRUNCATED, finding)
    rest = file.read(PADDING_BYTES + 1)
    if len(rest) > PADDING_BYTES or any(rest):
        finding = f"{header.path} goes on after the {header.end} bytes that its header promises"
        raise IngestError(Reason.TRAILING_BYTES, finding)
    return np.frombuffer(voxels, dtype=header.dtype).reshape(header.geometry.shape, order="F")


def _skip(file: BinaryIO, size: int) -> None:
    """Move on; a gzip stream is inflated on the way, a part at a time."""
    if isinstance(file, gzip.GzipFile):
        while size > 0 and (part := file.read(min(size, _CHUNK_BYTES))):
            size -= len(part)
    else:
        end = os.fstat(file.fileno()).st_size
        file.seek(min(file.tell() + size, end))


def _take(file: BinaryIO, size: int) -> bytearray:
    """Up to `size` bytes; memory grows with what is there, not with what is asked for."""
    content = bytearray()
    while len(content) < size and (part := file.read(min(size - len(content), _CHUNK_BYTES))):
        content += part
    return content


def _values(stored: np.ndarray, header: NiftiHeader) -> np.ndarray:
    native = stored.dtype.newbyteorder("=")
    if header.scaling is None and (stored.dtype.kind in "iu" or native == np.float32):
        return stored.astype(native, copy=False)
    slope, intercept = header.scaling or (1.0, 0.0)
    values = np.empty(stored.shape, dtype=np.float32, order="F")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused after
        for k in range(stored.shape[2]):  # slice by slice, so that doubles stay few
            values[..., k] = stored[..., k].astype(np.float64) * slope + intercept
    return values
