"""LIDC place: a reader's mark as voxels of the CT.

A set of voxels is a sorted array of flat indices, in C order, into the grid of the CT, whose axes
are column, row and slice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.datasets._lidc_outline import inside
from medseg.datasets._lidc_xml import Contour, Kind, Mark
from medseg.geometry import Geometry

Voxels = NDArray[np.int64]

Z_TOLERANCE = 0.25
"""A contour is in the nearest slice when its z is no farther than this part of the spacing.

It is far above the rounding of the XML, and no z can be in two slices.
"""


@dataclass(frozen=True, eq=False)
class Stack:
    """The CT that marks are placed in: its grid, and the slice of each SOP Instance UID."""

    geometry: Geometry
    slice_of: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Region:
    """A mark and its voxels, one or more."""

    mark: Mark
    voxels: Voxels


@dataclass(frozen=True)
class Fault:
    """What of a mark could not be used: a code of `medseg.datasets.lidc.REMEDIES`, and where."""

    code: str
    where: str


def place(marks: Iterable[Mark], stack: Stack) -> tuple[list[Region], list[Fault]]:
    """Place the marks of all readers, and tell what had to be left out.

    A contour belongs to the slice of its SOP Instance UID; where that is absent or is of no slice
    here, to the slice at its z, see `Z_TOLERANCE`. Left out, each with a fault, are a contour of no
    slice ("unknown-slice"), one with a point outside the image ("outside-image"), an outline
    without a pixel inside ("zero-area"), and a mark of which nothing is left ("empty-mark"). A
    characteristic off its scale is a fault as well ("off-scale").

    In each slice the pixels inside any inclusion belong to the nodule, but for those inside an
    exclusion. The outline of an exclusion, like any other, is not part of what it encloses.
    """
    regions, faults = [], []
    for mark in marks:
        voxels, found = _voxels(mark, stack)
        faults += found + [
            Fault("off-scale", f"{_name(mark)}, {name} {value}") for name, value in mark.off_scale
        ]
        if voxels.size:
            regions.append(Region(mark, voxels))
        else:
            faults.append(Fault("empty-mark", _name(mark)))
    return regions, faults


def summary(faults: Iterable[Fault]) -> list[tuple[str, str]]:
    """Sum faults up as (code, "number, first place") in alphabetical order of the codes."""
    faults = list(faults)
    counts = Counter(fault.code for fault in faults)
    first = {fault.code: fault.where for fault in reversed(faults)}
    return [(code, f"{counts[code]} x, first: {first[code]}") for code in sorted(counts)]


def _voxels(mark: Mark, stack: Stack) -> tuple[Voxels, list[Fault]]:
    empty = np.empty(0, np.int64)
    included, excluded, faults = [empty], [empty], []
    for contour in mark.contours:
        try:
            voxels = _enclosed(contour, stack, by_outline=mark.kind is Kind.NODULE)
        except _LeftOut as reason:
            faults.append(Fault(str(reason), f"{_name(mark)}, z {contour.z_mm} mm"))
            continue
        (included if contour.inclusion else excluded).append(voxels)
    return np.setdiff1d(np.concatenate(included), np.concatenate(excluded)), faults


class _LeftOut(Exception):  # noqa: N818 -- no error, a finding
    """A contour cannot be used; the text is the code of the fault."""


def _enclosed(contour: Contour, stack: Stack, *, by_outline: bool) -> Voxels:
    """The voxels inside a contour, or those of its points."""
    columns, rows, _ = stack.geometry.shape
    k = _slice(contour, stack)
    if k is None:
        raise _LeftOut("unknown-slice")
    if not all(0 <= x < columns and 0 <= y < rows for x, y in contour.points):
        raise _LeftOut("outside-image")
    points = np.array(contour.points, np.int64).reshape(-1, 2)
    pixels = inside(points) if by_outline and len(points) else points
    if not len(pixels):
        raise _LeftOut("zero-area")
    place = (pixels[:, 0], pixels[:, 1], np.full(len(pixels), k))
    return np.ravel_multi_index(place, stack.geometry.shape)


def _slice(contour: Contour, stack: Stack) -> int | None:
    k = stack.slice_of.get(contour.sop_uid)
    if k is not None or contour.z_mm is None:
        return k
    slices = stack.geometry.shape[2]
    corners = np.zeros((slices, 3))
    corners[:, 2] = np.arange(slices)
    off_mm = np.abs(stack.geometry.voxel_to_world(corners)[:, 2] - contour.z_mm)
    nearest = int(off_mm.argmin())
    near = off_mm[nearest] <= Z_TOLERANCE * stack.geometry.spacing_mm[2]
    return nearest if near else None


def _name(mark: Mark) -> str:
    return f"{mark.kind.value} {mark.name} of reader {mark.reader}"
