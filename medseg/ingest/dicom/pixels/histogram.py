"""Histogram: the distinct samples of a plane and how many there are of each, in little memory.

A plane of a few kilobytes deflated may be one of millions of samples: it is counted block by block,
and never copied as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK_SAMPLES = 2**20
"""So many samples are counted at once."""

MOST_LOOKED_AT = 2**22
"""Of a plane of more samples, only every n-th row is looked at where all of them would be slow."""


class Histogram(NamedTuple):
    """Distinct samples in ascending order, in the type of the plane, and the number of each."""

    values: np.ndarray
    counts: np.ndarray


def histogram_of(plane: np.ndarray) -> Histogram:
    """Count the samples of a plane.

    Args:
        plane: whole numbers of 8 or 16 bits, or of 32, of which some rows stand for all where there
            are more than `MOST_LOOKED_AT`.

    Example:
        >>> histogram_of(np.array([[3, -1], [3, 3]], np.int16)).values
        array([-1,  3], dtype=int16)
    """
    if plane.itemsize > 2:
        return Histogram(*np.unique(some_rows(plane), return_counts=True))
    flat = np.ascontiguousarray(plane).reshape(-1).view(f"u{plane.itemsize}")
    counts = np.zeros(2 ** (8 * plane.itemsize), dtype=np.int64)
    for start in range(0, flat.size, BLOCK_SAMPLES):
        counts += np.bincount(flat[start : start + BLOCK_SAMPLES], minlength=counts.size)
    found = np.flatnonzero(counts)
    values = found.astype(flat.dtype).view(plane.dtype)
    order = np.argsort(values, kind="stable")
    return Histogram(values[order], counts[found[order]])


def some_rows(plane: np.ndarray) -> np.ndarray:
    """All rows of a plane, or every n-th of one of more than `MOST_LOOKED_AT` samples."""
    return plane[:: max(1, -(-plane.size // MOST_LOOKED_AT))]
