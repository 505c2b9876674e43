"""LIDC marks: a reader's mark as voxels of the CT.

A set of voxels is a sorted array of flat indices, in C order, into the grid of the CT, whose axes
are column, row and slice. Where the CT was resampled onto that grid, marks are rasterised in the
slices as they were and follow them, see `medseg.datasets.lidc.slices_as_scanned`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.datasets.lidc.annotations_xml import Contour, Kind, Mark
from medseg.datasets.lidc.outline import find_inside
from medseg.datasets.lidc.slices_as_scanned import OriginalSlices
from medseg.geometry import Geometry

Voxels = NDArray[np.int64]

Z_TOLERANCE = 0.25
"""A contour is in the nearest slice when its z is no farther than this part of the spacing.

It is far above the rounding of the XML, and no z can be in two slices.
"""


@dataclass(frozen=True, eq=False)
class Stack:
    """The CT that marks are placed in.

    Attributes:
        geometry: its grid.
        slice_of: the slice of each SOP Instance UID: of the CT, or of `original` where there is it.
        original: the slices before they were resampled; None where they lie on the grid.
    """

    geometry: Geometry
    slice_of: Mapping[str, int]
    original: OriginalSlices | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and number of the slices that the readers saw."""
        return self.geometry.shape if self.original is None else self.original.shape

    @property
    def z_mm(self) -> NDArray[np.float64]:
        """z of each of them in the patient."""
        if self.original is not None:
            return self.original.z_mm
        corners = np.zeros((self.geometry.shape[2], 3))
        corners[:, 2] = np.arange(self.geometry.shape[2])
        return self.geometry.voxel_to_world(corners)[:, 2]

    @property
    def spacing_mm(self) -> float:
        """The distance of two of them, the least where it varies."""
        if self.original is None:
            return self.geometry.spacing_mm[2]
        return float(np.diff(self.original.resampling.depths_mm).min())

    @property
    def interpolated_slices(self) -> NDArray[np.int64] | None:
        """The slices of the CT that were interpolated from two of `original`; None without it."""
        return None if self.original is None else self.original.interpolated_planes


@dataclass(frozen=True, eq=False)
class Region:
    """A mark and its voxels, one or more."""

    mark: Mark
    voxels: Voxels


@dataclass(frozen=True)
class Fault:
    """A part of a mark that was left out: a code of `medseg.datasets.lidc.REMEDIES`, and where."""

    code: str
    where: str


def locate_marks(marks: Iterable[Mark], stack: Stack) -> tuple[list[Region], list[Fault]]:
    """Find the voxels of the marks of all readers in the CT, and list what had to be left out.

    A contour belongs to the slice of its SOP Instance UID; where that is absent or is of no slice
    here, to the slice at its z, see `Z_TOLERANCE`. Left out, each with a fault, are a contour of no
    slice ("unknown-slice"), one with a point outside the image ("outside-image"), an outline
    without a pixel inside ("zero-area"), and a mark of which nothing is left ("empty-mark"). A
    characteristic off its scale is a fault as well ("off-scale").

    In each slice the pixels inside any inclusion belong to the nodule, but for those inside an
    exclusion. The outline of an exclusion, like any other, is not part of what it encloses. Where
    the CT was resampled, the faults are those of the slices as they were.
    """
    regions, faults = [], []
    for mark in marks:
        voxels, found = _rasterize(mark, stack)
        faults += found + [
            Fault("off-scale", f"{_describe_mark(mark)}, {name} {value}")
            for name, value in mark.off_scale
        ]
        if voxels.size:
            regions.append(Region(mark, voxels))
        else:
            faults.append(Fault("empty-mark", _describe_mark(mark)))
    return regions, faults


def summarize(faults: Iterable[Fault]) -> list[tuple[str, str]]:
    """Sum faults up as (code, "number, first place") in alphabetical order of the codes."""
    faults = list(faults)
    counts = Counter(fault.code for fault in faults)
    first = {fault.code: fault.where for fault in reversed(faults)}
    return [(code, f"{counts[code]} x, first: {first[code]}") for code in sorted(counts)]


def _rasterize(mark: Mark, stack: Stack) -> tuple[Voxels, list[Fault]]:
    empty = np.empty(0, np.int64)
    included, excluded, faults = [empty], [empty], []
    for contour in mark.contours:
        try:
            voxels = _rasterize_contour(contour, stack, by_outline=mark.kind is Kind.NODULE)
        except _UnusableContour as reason:
            faults.append(Fault(str(reason), f"{_describe_mark(mark)}, z {contour.z_mm} mm"))
            continue
        (included if contour.inclusion else excluded).append(voxels)
    voxels = np.setdiff1d(np.concatenate(included), np.concatenate(excluded))
    if stack.original is not None:
        voxels = stack.original.move_to_grid(voxels, is_outline=mark.kind is Kind.NODULE)
    return voxels, faults


class _UnusableContour(Exception):  # noqa: N818 -- no error, a finding
    """A contour cannot be used; the text is the code of the fault."""


def _rasterize_contour(contour: Contour, stack: Stack, *, by_outline: bool) -> Voxels:
    """The voxels inside a contour, or those of its points, in the slices that the reader saw."""
    columns, rows, _ = stack.shape
    k = _find_slice(contour, stack)
    if k is None:
        raise _UnusableContour("unknown-slice")
    if not all(0 <= x < columns and 0 <= y < rows for x, y in contour.points):
        raise _UnusableContour("outside-image")
    points = np.array(contour.points, np.int64).reshape(-1, 2)
    pixels = find_inside(points) if by_outline and len(points) else points
    if not len(pixels):
        raise _UnusableContour("zero-area")
    place = (pixels[:, 0], pixels[:, 1], np.full(len(pixels), k))
    return np.ravel_multi_index(place, stack.shape)


def _find_slice(contour: Contour, stack: Stack) -> int | None:
    k = stack.slice_of.get(contour.sop_uid)
    if k is not None or contour.z_mm is None:
        return k
    off_mm = np.nan_to_num(np.abs(stack.z_mm - contour.z_mm), nan=np.inf)
    nearest = int(off_mm.argmin())
    return nearest if off_mm[nearest] <= Z_TOLERANCE * stack.spacing_mm else None


def _describe_mark(mark: Mark) -> str:
    return f"{mark.kind.value} {mark.name} of reader {mark.reader}"
