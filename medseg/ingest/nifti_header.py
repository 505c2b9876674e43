"""Nifti header: what ingest believes of a NIfTI-1 or NIfTI-2 header, and what it refuses.

Nothing is mended in silence: where nibabel's own checks would replace a value (a spacing of 0 by 1,
an unknown orientation code by 0), the header is refused.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from medseg.geometry import Geometry
from medseg.ingest.reasons import IngestError, Reason

PIXDIM_TOLERANCE = 0.01
"""The spacing of a sform may differ from that of pixdim by this share: decimals that were cut."""

_HEADER_CLASSES = {348: nib.Nifti1Header, 540: nib.Nifti2Header}  # by the size they state
_SINGLE_FILE_MAGIC = (b"n+1", b"n+2")
_PAIR_MAGIC = (b"ni1", b"ni2")
_EXTENSION_FLAG_BYTES = 4  # always there in a single file, between header and voxels
_MOST_AXES = 7
_SPACE_UNIT_BITS = 0x07
_UNIT_NAMES = {1: "metres", 3: "micrometres"}
_UNIT_MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
_ORIENTATION_CODES = range(6)  # 0 is unset, 5 the other template of NIfTI-1.2


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """The checked header of one file.

    Attributes:
        path: the file.
        shape: all its axes.
        geometry: the grid of each of its volumes.
        dtype: of the stored voxels, with their byte order.
        offset: byte at which the voxels start in the inflated file.
        scaling: slope and intercept; None where values are as stored.
        repair: what was done to the header, with the numbers; empty when nothing.
    """

    path: Path
    shape: tuple[int, ...]
    geometry: Geometry
    dtype: np.dtype
    offset: int
    scaling: tuple[float, float] | None
    repair: str

    @property
    def volumes(self) -> int:
        """How many volumes the file holds."""
        return math.prod(self.shape[3:])

    @property
    def end(self) -> int:
        """The bytes that the header promises: itself and the voxels of all volumes."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def parse_header(file: BinaryIO, path: Path, *, convert_units: bool) -> NiftiHeader:
    """Read the header at the start of a file, which is left behind it.

    Args:
        file: open at its start.
        path: its name in messages.
        convert_units: scale metres and micrometres to millimetres; False refuses them.

    Raises:
        IngestError: "truncated", "unreadable", "paired-files", "not-3d", "voxel-type",
            "not-millimetres", "no-orientation", "conflicting-orientation", "invalid-geometry" or
            "sheared-affine".
    """
    raw = _raw_header(file, path)
    shape = _shape(raw, path)
    geometry, repair = _geometry(raw, path, shape=shape, convert_units=convert_units)
    return NiftiHeader(
        path=path,
        shape=shape,
        geometry=geometry,
        dtype=_dtype(raw, path),
        offset=_offset(raw, path),
        scaling=_scaling(raw, path),
        repair=repair,
    )


def _raw_header(file: BinaryIO, path: Path) -> Any:
    """The nibabel header, unchecked but for its size and magic."""
    start = file.read(4)
    if len(start) < 4:
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    orders = {struct.unpack(f"{order}i", start)[0]: order for order in "<>"}
    size = next((n for n in _HEADER_CLASSES if n in orders), None)
    if size is None:
        raise IngestError(Reason.UNREADABLE, f"{path} has no NIfTI header")
    block = start + file.read(size - len(start))
    if len(block) < size:
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    raw = _HEADER_CLASSES[size](block, endianness=orders[size], check=False)
    magic = bytes(raw["magic"])[:3]
    if magic in _PAIR_MAGIC:
        raise IngestError(Reason.PAIRED_FILES, f"{path} is the header of an .hdr and .img pair")
    if magic not in _SINGLE_FILE_MAGIC:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks the mark of NIfTI")
    return raw


def _shape(raw: Any, path: Path) -> tuple[int, ...]:
    axes = int(raw["dim"][0])
    if not 1 <= axes <= _MOST_AXES:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} states {axes} axes")
    shape = tuple(int(n) for n in raw["dim"][1 : axes + 1])
    if axes < 2 or min(shape) < 1:
        raise IngestError(Reason.NOT_3D, f"{path} has shape {shape}, which holds no volume")
    return shape


def _dtype(raw: Any, path: Path) -> np.dtype:
    try:
        dtype = np.dtype(raw.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        finding = f"{path} states the unknown data type {int(raw['datatype'])}"
        raise IngestError(Reason.UNREADABLE, finding) from error
    if dtype.kind not in "iuf":
        raise IngestError(Reason.VOXEL_TYPE, f"{path} holds voxels of type {dtype}")
    if int(raw["bitpix"]) != dtype.itemsize * 8:
        finding = f"{path} states {int(raw['bitpix'])} bits for a voxel of type {dtype}"
        raise IngestError(Reason.UNREADABLE, finding)
    return dtype


def _offset(raw: Any, path: Path) -> int:
    offset = float(raw["vox_offset"])  # a float in NIfTI-1
    least = int(raw["sizeof_hdr"]) + _EXTENSION_FLAG_BYTES
    if not (offset.is_integer() and offset >= least):
        finding = f"the voxels of {path} are said to start at byte {offset:g}, before {least}"
        raise IngestError(Reason.UNREADABLE, finding)
    return int(offset)


def _scaling(raw: Any, path: Path) -> tuple[float, float] | None:
    """Slope and intercept; a slope of 0 or NaN means none."""
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or math.isnan(slope) or (slope, intercept) == (1, 0):
        return None
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        finding = f"{path} states the scaling {slope:g} x + {intercept:g}"
        raise IngestError(Reason.UNREADABLE, finding)
    return slope, intercept


def _geometry(
    raw: Any, path: Path, *, shape: tuple[int, ...], convert_units: bool
) -> tuple[Geometry, str]:
    scale, repair = _millimetres(raw, path, convert_units=convert_units)
    i, j, k = (*shape, 1)[:3]
    try:
        grids = [Geometry((i, j, k), scale @ affine) for affine in _stated(raw)]
    except (HeaderDataError, ValueError) as error:
        raise IngestError(Reason.INVALID_GEOMETRY, f"{path}: {error}") from error
    if not grids:
        raise IngestError(Reason.NO_ORIENTATION, f"qform and sform of {path} are both unset")
    if difference := grids[0].difference(grids[-1]):
        finding = f"sform and qform of {path} disagree, {difference}"
        raise IngestError(Reason.CONFLICTING_ORIENTATION, finding)
    if not grids[0].is_orthogonal:
        raise IngestError(Reason.SHEARED_AFFINE, f"the affine of {path} has shear")
    _check_pixdim(raw, path, spacing=np.linalg.norm(grids[0].affine[:3, :3], axis=0) / scale[0, 0])
    return grids[0], repair


def _check_pixdim(raw: Any, path: Path, *, spacing: np.ndarray) -> None:
    """Refuse a spacing that pixdim contradicts; a qform is made of pixdim, a sform is not.

    Other software measures by pixdim alone. A value of 0, or one along an axis that the image does
    not have, states none.
    """
    pixdim = np.abs(np.asarray(raw["pixdim"][1:4], dtype=np.float64))
    is_stated = (pixdim > 0) & (np.arange(3) < int(raw["dim"][0]))
    off = np.abs(pixdim - spacing) > PIXDIM_TOLERANCE * spacing
    if (is_stated & off).any():
        theirs, ours = (" x ".join(f"{v:.6g}" for v in values) for values in (pixdim, spacing))
        finding = f"pixdim of {path} states a spacing of {theirs}, its sform one of {ours}"
        raise IngestError(Reason.CONFLICTING_ORIENTATION, finding)


def _stated(raw: Any) -> list[np.ndarray]:
    """The affines whose code is set, the sform first."""
    for name in ("sform_code", "qform_code"):
        if int(raw[name]) not in _ORIENTATION_CODES:
            raise ValueError(f"{name} {int(raw[name])} is no orientation code")
    if raw["pixdim"][0] == 0:
        raw["pixdim"][0] = 1  # nifti1.h, method 2: a qfac of 0 means 1
    stated = raw.get_sform(coded=True)[0], raw.get_qform(coded=True)[0]
    return [affine for affine in stated if affine is not None]


def _millimetres(raw: Any, path: Path, *, convert_units: bool) -> tuple[np.ndarray, str]:
    """What turns the world of the header into millimetres (4, 4), and what is said about it."""
    unit = int(raw["xyzt_units"]) & _SPACE_UNIT_BITS
    name = _UNIT_NAMES.get(unit, f"unit {unit}")
    if unit not in _UNIT_MM or (unit in _UNIT_NAMES and not convert_units):
        finding = f"the affine of {path} is in {name} (space unit code {unit})"
        raise IngestError(Reason.NOT_MILLIMETRES, finding)
    factor = _UNIT_MM[unit]
    said = f"the affine of {path} was scaled by {factor:g} from {name}" if factor != 1 else ""
    return np.diag([factor, factor, factor, 1.0]), said
