"""Turn: lay an array onto a grid with the same voxels whose axes have another order or sign."""

from __future__ import annotations

import nibabel.orientations as nio
import numpy as np

from medseg.geometry import Geometry


def is_turned(grid: Geometry, target: Geometry) -> bool:
    """Whether two grids have the same voxels, but numbered along other axes or backwards.

    Example:
        >>> affine = np.diag([-1.0, 1, 1, 1])
        >>> affine[0, 3] = 3
        >>> is_turned(Geometry((4, 1, 1), affine), Geometry((4, 1, 1), np.eye(4)))
        True
    """
    if target.same_grid(grid):
        return False
    axes = _find_axes(grid, target)
    i, j, k = (grid.shape[axis] for axis in np.argsort(axes[:, 0]))
    back = nio.inv_ornt_aff(axes, grid.shape)
    return target.same_grid(Geometry((i, j, k), grid.affine @ back))


def turn(array: np.ndarray, grid: Geometry, target: Geometry) -> np.ndarray:
    """The same values in the order of another grid, of which `is_turned` holds: (I, J, K).

    Example:
        >>> affine = np.diag([-1.0, 1, 1, 1])
        >>> affine[0, 3] = 1
        >>> backwards = Geometry((2, 1, 1), affine)
        >>> turn(np.array([[[7]], [[8]]]), backwards, Geometry((2, 1, 1), np.eye(4))).ravel()
        array([8, 7])
    """
    return np.ascontiguousarray(nio.apply_orientation(array, _find_axes(grid, target)))


def _find_axes(grid: Geometry, target: Geometry) -> np.ndarray:
    """Of each axis of a grid that of another one next to it, and the sign: (3, 2)."""
    return nio.io_orientation(np.linalg.inv(target.affine) @ grid.affine)
