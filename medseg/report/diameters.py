"""Diameters: how long and how wide a structure is in one slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

_STEPS = 4  # samples of a chord for each pixel


@dataclass(frozen=True)
class Diameters:
    """The diameters of a structure in one slice, in mm.

    Attributes:
        long_axis_mm: the longest straight line between two points of the outline.
        perpendicular_mm: the longest line that is perpendicular to it and inside the structure all
            the way, as a reader draws it (RECIST 1.1 calls it the short axis of a lymph node).
        width_mm: the smallest distance of two parallel lines that hold the structure between them.
        ends: the two ends of the long axis, as pixel indices, (2, 2).
    """

    long_axis_mm: float
    perpendicular_mm: float
    width_mm: float
    ends: NDArray[np.float64]


def measure_diameters(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> Diameters:
    """Measure the diameters of a structure in one slice.

    The outline runs through the middle of the outer edges of its pixels, so that a row of n pixels
    is n pixels long. Several pieces are measured together, as one structure.

    Args:
        mask: (rows, columns), not empty.
        spacing_mm: size of a pixel along both axes.

    Raises:
        ValueError: the mask is empty.

    Source: Eisenhauer et al., "New response evaluation criteria in solid tumours: Revised RECIST
    guideline (version 1.1)", European Journal of Cancer, 2009, sections 3 and 4.

    Example:
        >>> found = measure_diameters(np.ones((4, 30), bool), (1.0, 1.0))
        >>> round(found.long_axis_mm, 1), round(found.width_mm, 1)
        (30.1, 4.0)
    """
    if not mask.any():
        raise ValueError("the mask is empty: an empty structure has no diameter")
    spacing = np.asarray(spacing_mm, float)
    points = find_hull(find_outline(mask) * spacing)
    distances = squareform(pdist(points))
    first, second = np.unravel_index(int(distances.argmax()), distances.shape)
    ends = points[[first, second]]
    long_axis = float(distances[first, second])
    return Diameters(
        long_axis,
        min(_measure_chord(mask, spacing, (ends[1] - ends[0]) / long_axis), long_axis),
        min(_measure_width(points), long_axis),
        ends / spacing,
    )


def measure_long_axis(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> float:
    """The long axis alone, in mm, which takes a fraction of the time.

    Example:
        >>> measure_long_axis(np.ones((1, 30), bool), (2.0, 0.5))
        15.0
    """
    return float(pdist(find_hull(find_outline(mask) * np.asarray(spacing_mm, float))).max())


def find_outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The middles of the outer faces of a mask's pixels or voxels, as indices, (points, axes)."""
    padded = np.pad(mask, 1).astype(np.int8)
    found = []
    for axis in range(mask.ndim):
        change = np.argwhere(np.diff(padded, axis=axis)).astype(float) - 1
        change[:, axis] += 0.5
        found.append(change)
    return np.concatenate(found)


def find_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the smallest convex body that holds all points; in 2D they are in order."""
    try:
        hull: NDArray[np.float64] = points[ConvexHull(points).vertices]
    except QhullError:  # all on one line or plane
        return points
    return hull


def _measure_width(corners: NDArray[np.float64]) -> float:
    """The smallest width of a convex shape; it lies across one of its sides."""
    sides = np.roll(corners, -1, axis=0) - corners
    sides = sides[np.linalg.norm(sides, axis=1) > 0]
    across = np.stack([-sides[:, 1], sides[:, 0]], 1) / np.linalg.norm(sides, axis=1)[:, None]
    return float(np.ptp(corners @ across.T, axis=0).min())


def _measure_chord(
    mask: NDArray[np.bool_], spacing: NDArray[np.float64], along: NDArray[np.float64]
) -> float:
    """The longest line within the mask that is perpendicular to a direction, in mm."""
    across = np.array([-along[1], along[0]])
    centres = np.argwhere(mask) * spacing
    step = float(spacing.min()) / _STEPS
    reach = float(np.hypot(*spacing))
    t = _sample(centres @ along, step, reach)
    s = _sample(centres @ across, step, reach)
    places = (t[:, None, None] * along + s[None, :, None] * across) / spacing
    index = np.round(places).astype(int)
    inside = ((index >= 0) & (index < mask.shape)).all(axis=-1)
    index = np.where(inside[..., None], index, 0)
    return _find_longest_run(mask[index[..., 0], index[..., 1]] & inside) * step


def _sample(values: NDArray[np.float64], step: float, reach: float) -> NDArray[np.float64]:
    """Places from below the smallest value to above the largest, a step apart."""
    return np.arange(values.min() - reach, values.max() + reach + step, step)


def _find_longest_run(rows: NDArray[np.bool_]) -> int:
    """The longest run of True in any row."""
    padded = np.pad(rows, ((0, 0), (1, 1))).astype(np.int8).ravel()
    change = np.flatnonzero(np.diff(padded))
    return int((change[1::2] - change[::2]).max(initial=0))
