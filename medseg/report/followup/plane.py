"""Plane: the places of the pixels of a slice in the patient, seen as a radiologist sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from medseg.geometry import Geometry
from medseg.report.measure import find_slice_axis

_ACROSS_AND_DOWN = {
    2: ((-1, 0, 0), (0, -1, 0)),  # axial: the patient's left on the right, back below
    1: ((-1, 0, 0), (0, 0, -1)),  # coronal: left on the right, feet below
    0: ((0, -1, 0), (0, 0, -1)),  # sagittal: back on the right, feet below
}
_LETTERS = {2: "RA", 1: "RS", 0: "AS"}
_NAMES = {2: "axial", 1: "coronal", 0: "sagittal"}


@dataclass(frozen=True, eq=False)
class Plane:
    """A square part of a slice.

    Attributes:
        points_mm: (rows, columns, 3), where its pixels lie, in RAS+ mm.
        name: "axial", "coronal" or "sagittal", the nearest of them.
        letters: of the patient's side at the left and at the top.
    """

    points_mm: NDArray[np.float64]
    name: str
    letters: str

    def sample(
        self,
        array: NDArray,
        grid: Geometry,
        *,
        matrix: NDArray | None = None,
        order: int = 1,
        outside: float = 0.0,
    ) -> NDArray:
        """The values of a volume at the pixels, (rows, columns).

        Args:
            array: (I, J, K).
            grid: its grid.
            matrix: (4, 4), takes RAS+ mm of the plane to those of the volume; None where both are
                the same.
            order: 1 interpolates linearly, 0 takes the nearest voxel.
            outside: the value outside of the volume.
        """
        points = self.points_mm
        if matrix is not None:
            points = points @ matrix[:3, :3].T + matrix[:3, 3]
        places = np.moveaxis(grid.world_to_voxel(points), -1, 0)
        sampled: NDArray = ndimage.map_coordinates(
            array,
            places,
            order=order,
            mode="grid-constant",  # the outer half of an outer voxel is part of it
            cval=outside,
            output=np.float32 if order else array.dtype,
        )
        return sampled


def cut_plane(grid: Geometry, centre_mm: ArrayLike, *, side_mm: float, pixels: int) -> Plane:
    """A square part of a slice of a grid, round a place.

    It runs along the slices in which the image was acquired (`find_slice_axis`), whatever their
    angle to the patient, and is turned and mirrored as the nearest of the three usual planes.

    Args:
        grid: of the image.
        centre_mm: (3,), RAS+ mm.
        side_mm: of the square.
        pixels: along each side.

    Example:
        >>> plane = cut_plane(Geometry((9, 9, 9), np.eye(4)), (4, 4, 4), side_mm=9, pixels=3)
        >>> plane.name, plane.points_mm[0, 0].tolist()  # right and front of the patient
        ('axial', [7.0, 7.0, 4.0])
    """
    axis = find_slice_axis(grid)
    towards = int(np.abs(grid.direction[:, axis]).argmax())
    first, second = (grid.direction[:, k] for k in range(3) if k != axis)
    across, down = (np.array(one, float) for one in _ACROSS_AND_DOWN[towards])
    if abs(second @ across) > abs(first @ across):
        first, second = second, first
    first, second = first * np.sign(first @ across), second * np.sign(second @ down)
    steps = ((np.arange(pixels) - (pixels - 1) / 2) * side_mm / pixels)[:, None]
    points = np.asarray(centre_mm, float) + (steps * second)[:, None] + (steps * first)[None, :]
    return Plane(points, _NAMES[towards], _LETTERS[towards])
