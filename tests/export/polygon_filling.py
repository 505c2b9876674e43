"""Polygon filling: which pixel centres polygons enclose, by the rules that readers use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNION, EXCLUSIVE_OR, WINDING = "union", "exclusive or", "winding number"
RULES = (UNION, EXCLUSIVE_OR, WINDING)


def fill(polygons, shape, rule=UNION) -> NDArray[np.bool_]:
    """Fill polygons, each (n, 2) in pixels, on (I, J) pixels.

    A ray from each centre to lower i counts the edges that it crosses. Within one polygon an odd
    number is inside; polygons are united or combined by exclusive or. The winding number counts
    the edges of all polygons with their sign.
    """
    found = np.zeros(shape, np.int64)
    for polygon in polygons:
        ups, downs = _count_crossings(np.asarray(polygon, float), shape)
        if rule == WINDING:
            found += ups - downs
        elif rule == UNION:
            found |= (ups + downs) % 2
        else:
            found ^= (ups + downs) % 2
    return found != 0


def measure_area(polygon) -> float:
    """The area of a polygon in pixels, by the shoelace formula; a keyhole adds nothing."""
    x, y = np.asarray(polygon, float).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _count_crossings(polygon, shape):
    """How often the ray from each centre crosses an edge that goes to higher j, and to lower j."""
    counts = np.zeros((2, shape[0] + 1, shape[1]), np.int64)  # summed along i below
    for (i0, j0), (i1, j1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        low, high = sorted((j0, j1))
        rows = np.arange(max(0, np.ceil(low)), min(shape[1], np.ceil(high)), dtype=int)
        if len(rows):
            at = i0 + (rows - j0) * (i1 - i0) / (j1 - j0)
            first = np.clip(np.floor(at) + 1, 0, shape[0]).astype(int)  # the first centre beyond
            np.add.at(counts[int(j1 < j0)], (first, rows), 1)
    return np.cumsum(counts, axis=1)[:, :-1]
