"""Surface: the area of a structure's surface, from a mesh of triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from skimage.measure import marching_cubes, mesh_surface_area

PASSES = 20
"""How often the mesh is smoothed; more changes areas by less than 1 %."""

_SHRINK, _GROW = 0.5, -0.53
"""Taubin's two weights: a step towards the neighbours, and a slightly longer one away from them, so
that the steps between voxels vanish and the body keeps its size."""


def measure_surface(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> float:
    """The area of the surface of a structure, in mm².

    A mesh of triangles is laid half way between the voxels inside and outside, and the steps that
    the voxels leave in it are smoothed away. Areas are then within 2 % on spheres of 10 or more
    voxels across, and 4 to 9 % too small on boxes, whose edges are rounded. Where slices are
    three to six times as thick as pixels are wide, spheres come out 4 to 10 % too large. Of a few
    voxels little is left when they are smoothed; so no area is smaller than that of a sphere of the
    same volume, which no body can have less than.

    Args:
        mask: (I, J, K), not empty; its edge counts as the end of the structure.
        affine: (4, 4), of the grid; it may be oblique or sheared.

    Raises:
        ValueError: the mask is empty.

    Source: Lewiner et al., "Efficient implementation of marching cubes' cases with topological
    guarantees", 2003, as scikit-image computes it; Taubin, "A signal processing approach to fair
    surface design", 1995.

    Example:
        >>> cube = np.ones((20, 20, 20), bool)
        >>> round(measure_surface(cube, np.eye(4)) / (6 * 20**2), 2)
        0.96
    """
    if not mask.any():
        raise ValueError("the mask is empty: an empty structure has no surface")
    points, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5)
    points = points.astype(np.float64) @ affine[:3, :3].T
    towards = _average_neighbours(faces, len(points))
    for _ in range(PASSES):
        for weight in (_SHRINK, _GROW):
            points += weight * (towards @ points - points)
    volume = np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3]))
    return max(float(mesh_surface_area(points, faces)), float(np.cbrt(36 * np.pi * volume**2)))


def _average_neighbours(faces: NDArray[np.int_], points: int) -> csr_array:
    """The matrix that puts the mean of its neighbours in the place of each point of a mesh."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    share = 1 / np.bincount(edges[:, 0], minlength=points)
    return coo_array((share[edges[:, 0]], (edges[:, 0], edges[:, 1])), (points, points)).tocsr()
