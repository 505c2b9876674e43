"""LIDC outline: the pixels inside a reader's outline.

Readers drew the outline around the nodule, so that in their opinion no pixel of it belongs to the
nodule (Armato et al., Medical Physics 38, 2011, section II.B): it is the first pixel outside.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def find_inside(points: ArrayLike) -> NDArray[np.int64]:
    """List the pixels strictly inside a closed outline.

    The outline runs straight from point to point and from the last to the first. A pixel whose
    centre lies on it is outside, as is one that it does not go round: an outline that crosses
    itself encloses all its loops (winding number other than 0), whichever way they turn. A point, a
    line and an outline drawn to and fro enclose nothing.

    Args:
        points: (n, 2) pixels (x, y) of whole numbers, n at least 1, closed or not.

    Returns:
        (m, 2) pixels (x, y), sorted.

    Example:
        >>> find_inside([(1, 0), (2, 1), (1, 2), (0, 1)]).tolist()
        [[1, 1]]
    """
    start = np.asarray(points, dtype=np.int64).reshape(-1, 2)
    low, high = start.min(axis=0) + 1, start.max(axis=0)
    x, y = (
        axis.ravel()
        for axis in np.meshgrid(
            *(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"
        )
    )
    winding, on = np.zeros(x.shape, np.int64), np.zeros(x.shape, bool)
    for (sx, sy), (ex, ey) in zip(start, np.roll(start, -1, axis=0), strict=True):
        side = (ex - sx) * (y - sy) - (x - sx) * (ey - sy)  # positive to the left of the edge
        winding += (sy <= y) & (ey > y) & (side > 0)
        winding -= (sy > y) & (ey <= y) & (side < 0)
        beside = (x - sx) * (x - ex) <= 0
        on |= (side == 0) & beside & ((y - sy) * (y - ey) <= 0)
    return np.stack([x, y], axis=1)[(winding != 0) & ~on]
