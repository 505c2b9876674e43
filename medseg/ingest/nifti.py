"""Nifti: one volume from a NIfTI file whose header can be trusted.

Checked: the file is whole (gzip checksum included), one volume, real scalar voxels, finite values,
an orientation that is stated, is in millimetres, does not contradict itself and has no shear.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from medseg.geometry import Geometry
from medseg.ingest.checks import check_finite
from medseg.ingest.reasons import IngestError, Reason

SUFFIXES = (".nii", ".nii.gz")

_IMAGE_CLASSES = {348: nib.Nifti1Image, 540: nib.Nifti2Image}  # by size of the header
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
_SPACE_UNIT_BITS = 0x07
_MILLIMETRES_OR_UNKNOWN = (0, 2)


def is_nifti(path: str | Path) -> bool:
    """Tell by its name whether a path is a NIfTI file."""
    return str(path).lower().endswith(SUFFIXES)


def load_nifti(path: str | Path) -> tuple[np.ndarray, Geometry]:
    """Load one volume from `.nii` or `.nii.gz`.

    The sform is used where its code is set, else the qform. Trailing axes of length 1 are dropped,
    and a 2D image becomes a volume of one slice. Scaling (scl_slope, scl_inter) is applied.

    Args:
        path: the file.

    Returns:
        The volume (I, J, K) as stored, and its geometry. Integers without scaling keep their type;
        everything else is float32.

    Raises:
        IngestError: "not-found", "unknown-format", "truncated", "unreadable", "not-3d",
            "pixel-format", "not-millimetres", "no-orientation", "conflicting-orientation",
            "invalid-geometry" or "non-finite", naming the file.

    Example:
        >>> volume, geometry = load_nifti("case.nii.gz")  # doctest: +SKIP

    Source: NIfTI-1 header, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
    """
    path = Path(path)
    image = _parse(_read_bytes(path), path)
    shape = _volume_shape(image, path)
    geometry = _geometry(image.header, path, shape=shape)
    array = _values(image, path).reshape(shape, order="F")
    check_finite(array, name=str(path))
    return array, geometry


def _read_bytes(path: Path) -> bytes:
    """The whole file, inflated; a gzip that is cut or damaged fails its length or checksum."""
    if not path.is_file():
        raise IngestError(Reason.NOT_FOUND, f"no such file: {path}")
    content = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return content
    if not content.startswith(_GZIP_MAGIC[: len(content)]):
        raise IngestError(Reason.UNKNOWN_FORMAT, f"{path} is no gzip file, whatever its name says")
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise IngestError(Reason.TRUNCATED, f"gzip stream of {path} ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise IngestError(Reason.UNREADABLE, f"gzip stream of {path} is damaged") from error


def _parse(content: bytes, path: Path) -> Any:
    """The nibabel image of a file that holds every byte its header promises."""
    if len(content) < min(_IMAGE_CLASSES):
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    sizes = struct.unpack("<i", content[:4]) + struct.unpack(">i", content[:4])
    image_class = next((_IMAGE_CLASSES[n] for n in sizes if n in _IMAGE_CLASSES), None)
    if image_class is None:
        raise IngestError(Reason.UNREADABLE, f"{path} has no NIfTI header")
    try:
        image = image_class.from_bytes(content)
    except (HeaderDataError, ImageFileError, OSError, ValueError) as error:
        raise IngestError(Reason.UNREADABLE, f"NIfTI header of {path} is damaged") from error
    needed = image.dataobj.offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    if len(content) < needed:
        raise IngestError(Reason.TRUNCATED, f"{path} holds {len(content)} of {needed} bytes")
    return image


def _volume_shape(image: Any, path: Path) -> tuple[int, int, int]:
    shape = tuple(int(n) for n in image.shape)
    if len(shape) < 2 or min(shape) < 1 or any(n > 1 for n in shape[3:]):
        raise IngestError(Reason.NOT_3D, f"{path} has shape {shape}, not one volume")
    i, j, k = (*shape, 1)[:3]
    return i, j, k


def _geometry(header: Any, path: Path, *, shape: tuple[int, int, int]) -> Geometry:
    unit = int(header["xyzt_units"]) & _SPACE_UNIT_BITS
    if unit not in _MILLIMETRES_OR_UNKNOWN:
        raise IngestError(Reason.NOT_MILLIMETRES, f"{path} has space unit code {unit}")
    try:
        stated = [header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]]
        grids = [Geometry(shape, affine) for affine in stated if affine is not None]
    except (HeaderDataError, ValueError) as error:
        raise IngestError(Reason.INVALID_GEOMETRY, f"{path}: {error}") from error
    if not grids:
        raise IngestError(Reason.NO_ORIENTATION, f"qform and sform of {path} are both unset")
    if difference := grids[0].difference(grids[-1]):
        finding = f"sform and qform of {path} disagree, {difference}"
        raise IngestError(Reason.CONFLICTING_ORIENTATION, finding)
    if not grids[0].is_orthogonal:
        raise IngestError(Reason.INVALID_GEOMETRY, f"the affine of {path} has shear")
    return grids[0]


def _values(image: Any, path: Path) -> np.ndarray:
    dtype, proxy = image.get_data_dtype(), image.dataobj
    if dtype.kind not in "iuf":
        raise IngestError(Reason.PIXEL_FORMAT, f"{path} holds voxels of type {dtype}")
    if dtype.kind in "iu" and (proxy.slope, proxy.inter) == (1.0, 0.0):
        return np.asarray(proxy).astype(dtype.newbyteorder("="), copy=False)
    with np.errstate(over="ignore"):  # what single precision cannot hold is refused as not finite
        return np.asarray(image.get_fdata(caching="unchanged", dtype=np.float32))
