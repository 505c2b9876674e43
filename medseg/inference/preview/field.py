"""Field: the part of a plane that is worth a look, all of it or what lies around a structure."""

import math

import numpy as np

from medseg.inference.preview.planes import Plane, find_extent, find_segmented

LEAST_FIELD_MM = 40.0
"""At least so much is shown around a small structure."""

_FIELD = 1.5  # of the segmented extent

Field = tuple[slice, slice]
"""Rows and columns of a plane."""


def choose_field(plane: Plane, *, mask: np.ndarray | None = None) -> Field:
    """All rows and columns, or those around a small structure.

    Args:
        plane: that is shown.
        mask: the structure, (rows, columns); None for all that is segmented in any parallel plane.
    """
    shape = plane.label.shape
    volume = plane.volume
    found = find_segmented(volume.label, plane.axis) if mask is None else find_extent(mask)
    if found is None:
        return slice(0, shape[0]), slice(0, shape[1])
    sides_mm = measure_field(plane, found)
    least_mm = max(_FIELD * max(sides_mm), LEAST_FIELD_MM)
    rows, columns = (
        widen(part, count, least_mm / (side / (part.stop - part.start)))
        for part, count, side in zip(found, shape, sides_mm, strict=True)
    )
    return rows, columns


def widen(part: slice, count: int, least: float) -> slice:
    """At least so many voxels around the middle of a part, within the `count` that there are.

    Example:
        >>> widen(slice(4, 6), 20, 6.0), widen(slice(0, 2), 20, 6.0)
        (slice(2, 8, None), slice(0, 4, None))
    """
    middle, half = (part.start + part.stop) / 2, max(least, part.stop - part.start) / 2
    return slice(max(0, math.floor(middle - half)), min(count, math.ceil(middle + half)))


def measure_field(plane: Plane, field: Field) -> tuple[float, float]:
    """Height and width in millimetres of some rows and columns of a plane."""
    height, width = (
        len(range(count)[part]) * side / count
        for part, count, side in zip(field, plane.label.shape, plane.size_mm[::-1], strict=True)
    )
    return height, width
