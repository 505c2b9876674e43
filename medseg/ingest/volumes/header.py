"""Volume header: what a volume file of any format states about its voxels.

A parser of one format fills a `VolumeHeader`; `medseg.ingest.volumes.voxels` reads by it. Units of
length and detached files are judged here, in the same way for all formats.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medseg.base.arguments import is_integer
from medseg.geometry import Geometry
from medseg.ingest.reasons import IngestError, Note, Reason

AFFINES = ("sform", "qform")
"""Which orientation of a NIfTI to believe where it states two."""

UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1e3, "micron": 1e-3}
"""The units that a user may declare, in millimetres."""

STATED = "stated"
"""What a user passes for the unit to believe each header."""


@dataclass(frozen=True)
class Choices:
    """What the user decided about headers that leave a choice.

    Args:
        affine: "sform" or "qform": which to believe where a NIfTI states both; None decides by the
            rules of `medseg.ingest.volumes.nifti_header`.
        units: "mm", "cm", "m" or "micron": the unit of all lengths, whatever headers say; "stated"
            believes each header; None takes millimetres and refuses a header that says otherwise.

    Raises:
        ValueError: another value.
    """

    affine: str | None = None
    units: str | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("affine", self.affine, AFFINES),
            ("units", self.units, (*UNITS_MM, STATED)),
        ):
            if value is not None and value not in allowed:
                raise ValueError(f"{name} is {value!r}: choose one of {', '.join(allowed)}")


def check_index(volume: Any) -> None:
    """Refuse anything but an index of a volume, or None for no choice.

    Raises:
        TypeError: it is no whole number.
    """
    if volume is not None and not is_integer(volume):
        raise TypeError(f"volume is {volume!r}: pass the index of one, a whole number from 0")


@dataclass(frozen=True, eq=False)
class VolumeHeader:
    """The checked header of one volume file.

    Attributes:
        path: the file that was named.
        format: "NIfTI", "NRRD", "MetaImage" or "MGH".
        shape: all axes, in the order in which the voxels are stored, the fastest first.
        geometry: the grid of each of its volumes.
        dtype: of the stored voxels, with their byte order.
        offset: byte at which the voxels start in the unpacked file; -1 counts them from its end.
        axes: the places in `shape` of the axes I, J and K; fewer than three for a 2D image.
        files: where the voxels lie, `path` itself or others; each holds an equal part.
        packing: "" for plain bytes, "gzip", "bzip2", "zlib" or "text".
        packed_from: byte of each file at which the packed part starts.
        scaling: slope and intercept; None where values are as stored.
        notes: what was assumed or repaired, with the numbers.
        footer_bytes: how many bytes of other content may follow the voxels.
        segments: of a segmentation, each segment.
        crop_of: of a segmentation that is a part of a larger grid, that grid and the index of the
            part's first voxel in it.
    """

    path: Path
    format: str
    shape: tuple[int, ...]
    geometry: Geometry
    dtype: np.dtype
    offset: int
    axes: tuple[int, ...]
    files: tuple[Path, ...]
    packing: str = ""
    packed_from: int = 0
    scaling: tuple[float, float] | None = None
    notes: tuple[Note, ...] = ()
    footer_bytes: int = 0
    segments: tuple[Segment, ...] = field(default=())
    crop_of: tuple[Geometry, tuple[int, int, int]] | None = None

    @property
    def grid(self) -> Geometry:
        """The grid of what is loaded: of a cropped segmentation that of its image."""
        return self.geometry if self.crop_of is None else self.crop_of[0]

    @property
    def volumes(self) -> int:
        """How many volumes the file holds."""
        return math.prod(n for axis, n in enumerate(self.shape) if axis not in self.axes)

    @property
    def size(self) -> int:
        """The bytes of the voxels of all volumes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """The bytes that the header promises of each file, unpacked."""
        return max(self.offset, 0) + self.size // len(self.files)


@dataclass(frozen=True)
class Segment:
    """One segment of a segmentation.

    Attributes:
        name: as stated.
        value: what its voxels get.
        layer: the volume of the file that it lies in.
        stored: the value that its voxels have there.
    """

    name: str
    value: int
    layer: int
    stored: int


def find_millimetre_factor(
    stated: float | None, name: str, *, path: Path, units: str | None
) -> tuple[float, tuple[Note, ...]]:
    """Find the factor from the lengths of a header to millimetres, with a note where it is not 1.

    Args:
        stated: the unit that the header states, in millimetres; None where it states none, NaN
            where it states one that is unknown.
        name: what to call the stated unit.
        path: the file.
        units: see `Choices`.

    Raises:
        IngestError: "not-millimetres".
    """
    declared = UNITS_MM.get(units or "")
    if declared is None:
        is_known = stated is None or math.isfinite(stated)
        if not is_known or (stated not in (None, 1.0) and units != STATED):
            raise IngestError(Reason.NOT_MILLIMETRES, f"the affine of {path} is in {name}")
        declared = 1.0 if stated is None else stated
    if declared == 1.0 and stated in (None, 1.0):
        return 1.0, ()
    said = f"the affine of {path} was scaled by {declared:g}, the header states {name}"
    return declared, ((Reason.CONVERTED_UNITS, said),)


def make_no_volume_error(path: Path, shape: tuple[int, ...]) -> IngestError:
    """Make the refusal of a shape with too few axes, or without a volume."""
    return IngestError(
        Reason.NOT_3D,
        f"{path} has shape {shape}, which holds no volume",
        remedy="export it as a volume of three axes; one slice has the length 1 along the third",
    )


def find_detached_file(header: Path, name: str) -> Path:
    """Find the file of voxels that a header names; it must lie in the header's folder or below it.

    Raises:
        IngestError: "unsafe-path" where the name leads out of the folder, "not-found".
    """
    folder = os.path.abspath(header.parent)
    found = os.path.normpath(os.path.join(folder, name))
    if not name or "\0" in name or os.path.commonpath([folder, found]) != folder:
        finding = f"{header} names its voxels {name!r}, outside its own folder"
        raise IngestError(Reason.UNSAFE_PATH, finding)
    if not os.path.isfile(found):
        raise IngestError(Reason.NOT_FOUND, f"{header} names its voxels {name!r}: no such file")
    return Path(found)


def make_grid(shape: tuple[int, ...], affine: np.ndarray, *, path: Path) -> Geometry:
    """Make the grid of an affine whose world is RAS+ millimetres.

    Raises:
        IngestError: "invalid-geometry" or "sheared-affine".
    """
    i, j, k = (*shape, 1, 1)[:3]
    try:
        grid = Geometry((i, j, k), affine)
    except ValueError as error:
        raise IngestError(Reason.INVALID_GEOMETRY, f"{path}: {error}") from error
    if not grid.is_orthogonal:
        raise IngestError(Reason.SHEARED_AFFINE, f"the affine of {path} has shear")
    return grid
