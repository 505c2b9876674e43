"""Planes: where the pixels of a plane of a DICOM object lie in a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry

TOLERANCE_VOXELS = 0.1
"""How far a pixel may lie from the centre of the voxel that it stands for; headers round places."""


def find_voxel_step(
    geometry: Geometry,
    *,
    position: Sequence[float],
    orientation: Sequence[float],
    spacing_mm: Sequence[float],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """The voxel of the first pixel of a plane, and the steps to the next row and column.

    Args:
        geometry: of the volume.
        position: Image Position (Patient), LPS mm.
        orientation: Image Orientation (Patient).
        spacing_mm: Pixel Spacing: between rows, between columns.

    Returns:
        Three vectors of voxel indices, or None where the pixels do not lie on the voxels.
    """
    to_voxel = np.linalg.inv(geometry.affine_lps)
    first = to_voxel[:3, :3] @ np.asarray(position, float) + to_voxel[:3, 3]
    along = np.asarray(orientation, float).reshape(2, 3)
    column = to_voxel[:3, :3] @ along[0] * spacing_mm[1]
    row = to_voxel[:3, :3] @ along[1] * spacing_mm[0]
    found = [np.rint(each).astype(np.int64) for each in (first, row, column)]
    farthest = np.abs(first - found[0]).max()
    for exact, near in ((row, found[1]), (column, found[2])):
        reach = max(geometry.shape)  # a small difference of the spacing grows over the plane
        farthest = max(farthest, np.abs(exact - near).max() * reach)
        if np.abs(near).sum() != 1:
            return None
    return None if farthest > TOLERANCE_VOXELS else (found[0], found[1], found[2])


def draw_plane(
    plane: NDArray[np.bool_],
    onto: NDArray[np.bool_],
    step: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> int:
    """Draw the pixels of a plane onto a volume.

    Returns:
        How many of them lie outside the volume.
    """
    first, row, column = step
    rows, columns = np.nonzero(plane)
    at = first + rows[:, None] * row + columns[:, None] * column
    inside = ((at >= 0) & (at < onto.shape)).all(axis=1)
    onto[tuple(at[inside].T)] = True
    return int((~inside).sum())
