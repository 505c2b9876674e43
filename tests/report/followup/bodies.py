"""Bodies for the tests of a comparison: an image and lesions at known places, moved as known."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from medseg.geometry import Geometry

CENTRE = np.array([10.0, -20.0, 400.0])
"""Of the body, in mm: far from the origin, so that a turn about it would be seen."""


def make_grid(shape, spacing, *, turn=(0.0, 0.0, 0.0), flips=(1, 1, 1)):
    """A grid round `CENTRE`, turned by degrees, with axes that may run the other way."""
    affine = np.eye(4)
    turned = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    affine[:3, :3] = turned @ np.diag(np.array(spacing) * flips)
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape, affine)


def make_motion(degrees=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)):
    """A turn about `CENTRE` and a shift, in mm, from the earlier to the later study."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = CENTRE + shift - matrix[:3, :3] @ CENTRE
    return matrix


def list_points(geometry, matrix=None):
    """Where the voxels of a grid lie in the body as it was before it moved, (I, J, K, 3)."""
    back = np.eye(4) if matrix is None else np.linalg.inv(matrix)
    world = geometry.voxel_to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return world @ back[:3, :3].T + back[:3, 3]


def draw_body(geometry, matrix=None, *, seed=0, noise=10.0):
    """Organs of several values in a body of 100 HU in air of -1000 HU, with noise."""
    points = list_points(geometry, matrix) - CENTRE
    radii = np.array([60.0, 45.0, 55.0])
    image = -1000 + 1100 * _soften(points / radii, edge_mm=2.0, size_mm=50.0)
    places = np.random.default_rng(seed)
    for value in (200, -200, 400, -70, 100, -400, 600, 50):
        centre = places.uniform(-0.5, 0.5, 3) * radii
        size = places.uniform(6, 16, 3)
        image += value * _soften((points - centre) / size, edge_mm=2.0, size_mm=size.mean())
    return image + np.random.default_rng(seed + 100).normal(0, noise, geometry.shape)


def _soften(scaled, *, edge_mm, size_mm):
    """1 within a body of radius 1, 0 outside, with an edge as that of a scanner."""
    distance = (np.linalg.norm(scaled, axis=-1) - 1) * size_mm
    return 1 / (1 + np.exp(np.clip(4 * distance / edge_mm, -50, 50)))


def draw_spheres(geometry, spheres, matrix=None, *, value=1, onto=None):
    """Spheres of (centre in mm from `CENTRE`, radius in mm), with the body moved."""
    points = list_points(geometry, matrix) - CENTRE
    mask = np.zeros(geometry.shape, np.uint8) if onto is None else onto
    for centre, radius in spheres:
        mask[((points - centre) ** 2).sum(axis=-1) <= radius**2] = value
    return mask


def measure_error(found, true, geometry):
    """The largest error of a matrix, in degrees, and in mm at the corners of a grid."""
    turn = (found @ np.linalg.inv(true))[:3, :3]
    ends = np.array([0, 1])
    corners = geometry.voxel_to_world(
        np.stack(np.meshgrid(ends, ends, ends), -1).reshape(-1, 3) * (np.array(geometry.shape) - 1)
    )
    places = [corners @ m[:3, :3].T + m[:3, 3] for m in (found, true)]
    degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(degrees), float(np.linalg.norm(places[0] - places[1], axis=1).max())
