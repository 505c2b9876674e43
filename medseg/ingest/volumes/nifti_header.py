"""NIfTI header: what ingest believes of a NIfTI-1, NIfTI-2 or Analyze header, and what it refuses.

Nothing is mended in silence: where nibabel's own checks would replace a value (a spacing of 0 by 1,
an unknown orientation code by 0), the header is refused.

A NIfTI may state two affines, see `medseg.ingest.volumes.nifti_affine`. Analyze 7.5, the pairs of
files before NIfTI, states none: nibabel's and SPM's convention is taken, and a note says so.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from medseg.geometry import Geometry
from medseg.ingest.formats import PAIR_HEADERS, find_pair_header, find_pair_image, find_suffix
from medseg.ingest.packing import choose_packing
from medseg.ingest.reasons import IngestError, Note, Reason
from medseg.ingest.volumes.header import (
    Choices,
    VolumeHeader,
    find_millimetre_factor,
    make_grid,
    make_no_volume_error,
)
from medseg.ingest.volumes.nifti_affine import choose_affine
from medseg.ingest.volumes.streams import Stream, open_stream, read_up_to

_HEADER_CLASSES = {348: nib.Nifti1Header, 540: nib.Nifti2Header}  # by the size they state
_PLAIN = tuple(struct.pack(f"{order}i", size) for order in "<>" for size in _HEADER_CLASSES)
_SINGLE_FILE_MAGIC = (b"n+1", b"n+2")
_PAIR_MAGIC = (b"ni1", b"ni2")
_EXTENSION_FLAG_BYTES = 4  # always there in a single file, between header and voxels
_MOST_AXES = 7
_SPACE_UNIT_BITS = 0x07
_UNIT_NAMES = {1: "metres", 2: "millimetres", 3: "micrometres"}
_UNIT_MM = {0: None, 1: 1e3, 2: 1.0, 3: 1e-3}
_ANALYZE_ORIENT = 252  # the byte of Analyze's `orient`; 0 is transverse, not flipped


def parse_nifti(path: Path, *, choices: Choices) -> VolumeHeader:
    """Read and check the header of `.nii`, `.nii.gz` or a pair of `.hdr` and `.img`.

    Args:
        path: the file; of a pair either half.
        choices: of the user.

    Raises:
        IngestError: "not-found", "truncated", "unreadable", "unknown-format", "paired-files",
            "not-3d", "voxel-type", "not-millimetres", "no-orientation", "conflicting-orientation",
            "invalid-geometry" or "sheared-affine".
    """
    holder, voxels = _find_files(path)
    packing = _find_packing(holder, plain=_PLAIN)
    with open_stream(holder, packing) as stream:
        raw, is_pair = _read_raw_header(stream, path)
    if is_pair and voxels is None:
        raise IngestError(Reason.PAIRED_FILES, f"{path} is one half of an .hdr and .img pair")
    shape = _read_shape(raw, path)
    is_analyze = not isinstance(raw, nib.Nifti1Header)
    placed = _make_analyze_grid if is_analyze else _make_grid
    geometry, notes = placed(raw, holder, shape=shape, choices=choices)
    files = (voxels if is_pair and voxels is not None else holder,)
    return VolumeHeader(
        path=path,
        format="NIfTI",
        shape=shape,
        geometry=geometry,
        dtype=_read_dtype(raw, path),
        offset=_read_offset(raw, path, is_pair=is_pair),
        axes=tuple(range(min(len(shape), 3))),
        files=files,
        packing=packing if files[0] == holder else _find_packing(files[0]),
        scaling=_read_scaling(raw, path),
        notes=notes,
    )


def _find_files(path: Path) -> tuple[Path, Path | None]:
    """The file of the header, and that of the voxels where there are two."""
    if header := find_pair_header(path):
        return header, path
    return path, find_pair_image(path) if find_suffix(path.name) in PAIR_HEADERS else None


def _find_packing(path: Path, *, plain: tuple[bytes, ...] = ()) -> str:
    """By its first bytes; by its name where it holds nothing but voxels, which may begin so."""
    named = "gzip" if path.suffix.lower() == ".gz" else ""
    return choose_packing(path, named=named, plain=plain) if plain and path.is_file() else named


def _read_raw_header(stream: Stream, path: Path) -> tuple[Any, bool]:
    """The nibabel header, unchecked but for its size and magic, and whether it is of a pair."""
    start = bytes(read_up_to(stream, 4))
    if len(start) < 4:
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    orders = {struct.unpack(f"{order}i", start)[0]: order for order in "<>"}
    size = next((n for n in _HEADER_CLASSES if n in orders), None)
    if size is None:
        raise IngestError(Reason.UNREADABLE, f"{path} has no NIfTI header")
    block = start + bytes(read_up_to(stream, size - len(start)))
    if len(block) < size:
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    raw = _HEADER_CLASSES[size](block, endianness=orders[size], check=False)
    magic = bytes(raw["magic"])[:3]
    if magic in (*_PAIR_MAGIC, *_SINGLE_FILE_MAGIC):
        return raw, magic in _PAIR_MAGIC
    if size == 348 and find_suffix(path.name) not in (".nii", ".nii.gz"):
        analyze = nib.Spm2AnalyzeHeader(block, endianness=orders[size], check=False)
        if orient := block[_ANALYZE_ORIENT]:
            finding = f"{path} is Analyze 7.5 with orient {orient}, which programs read differently"
            raise IngestError(Reason.NO_ORIENTATION, finding)
        return analyze, True
    raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks the signature of NIfTI")


def _read_shape(raw: Any, path: Path) -> tuple[int, ...]:
    axes = int(raw["dim"][0])
    if not 1 <= axes <= _MOST_AXES:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} states {axes} axes")
    shape = tuple(int(n) for n in raw["dim"][1 : axes + 1])
    if axes < 2 or min(shape) < 1:
        raise make_no_volume_error(path, shape)
    return shape


def _read_dtype(raw: Any, path: Path) -> np.dtype:
    try:
        dtype = np.dtype(raw.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        finding = f"{path} states the unknown data type {int(raw['datatype'])}"
        raise IngestError(Reason.UNREADABLE, finding) from error
    if dtype.kind not in "iuf":
        name = nib.nifti1.data_type_codes.label[int(raw["datatype"])]
        raise IngestError(Reason.VOXEL_TYPE, f"{path} holds voxels of type {name}")
    if int(raw["bitpix"]) != dtype.itemsize * 8:
        finding = f"{path} states {int(raw['bitpix'])} bits for a voxel of type {dtype}"
        raise IngestError(Reason.UNREADABLE, finding)
    return dtype


def _read_offset(raw: Any, path: Path, *, is_pair: bool) -> int:
    offset = float(raw["vox_offset"])  # a float in NIfTI-1
    least = 0 if is_pair else int(raw["sizeof_hdr"]) + _EXTENSION_FLAG_BYTES
    if not (offset.is_integer() and offset >= least):
        finding = f"the voxels of {path} are said to start at byte {offset:g}, before {least}"
        raise IngestError(Reason.UNREADABLE, finding)
    return int(offset)


def _read_scaling(raw: Any, path: Path) -> tuple[float, float] | None:
    """Slope and intercept; a slope of 0 or NaN means none."""
    if isinstance(raw, nib.Nifti1Header):
        slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    else:  # SPM's use of Analyze fields
        slope, intercept = (1.0 if n is None else float(n) for n in raw.get_slope_inter())
        intercept = 0.0 if raw.get_slope_inter()[1] is None else intercept
    if slope == 0 or math.isnan(slope) or (slope, intercept) == (1, 0):
        return None
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        finding = f"{path} states the scaling {slope:g} x + {intercept:g}"
        raise IngestError(Reason.UNREADABLE, finding)
    return slope, intercept


def _make_grid(
    raw: Any, path: Path, *, shape: tuple[int, ...], choices: Choices
) -> tuple[Geometry, tuple[Note, ...]]:
    unit = int(raw["xyzt_units"]) & _SPACE_UNIT_BITS
    name = f"{_UNIT_NAMES.get(unit, f'unit {unit}')} (space unit code {unit})"
    stated = _UNIT_MM.get(unit, math.nan)
    factor, notes = find_millimetre_factor(stated, name, path=path, units=choices.units)
    geometry, more = choose_affine(raw, path, shape=shape, factor=factor, chosen=choices.affine)
    return geometry, (*notes, *more)


def _make_analyze_grid(
    raw: Any, path: Path, *, shape: tuple[int, ...], choices: Choices
) -> tuple[Geometry, tuple[Note, ...]]:
    """The grid by nibabel's convention; an SPM matrix beside the pair is not read."""
    matrix = path.with_name(path.name[: -len(find_suffix(path.name))] + ".mat")
    if matrix.exists():
        finding = f"{path} is Analyze 7.5 with its orientation in {matrix.name}, which is not read"
        raise IngestError(Reason.NO_ORIENTATION, finding)
    factor, notes = find_millimetre_factor(None, "no unit", path=path, units=choices.units)
    with np.errstate(invalid="ignore"):
        affine = np.asarray(raw.get_best_affine(), dtype=np.float64)
    grid = make_grid(shape, np.diag([factor] * 3 + [1.0]) @ affine, path=path)
    finding = (
        f"{path} is Analyze 7.5, which states no orientation: read as {grid.orientation}, as "
        "nibabel and SPM do"
    )
    return grid, (*notes, (Reason.ASSUMED_ORIENTATION, finding))
