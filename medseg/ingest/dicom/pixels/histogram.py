"""Histogram: count the distinct samples of a plane, in little memory.

A few deflated kilobytes may be a plane of millions of samples. So it is counted block by block and
never copied as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK_SAMPLES = 2**20
"""The number of samples that are counted at once."""

MOST_LOOKED_AT = 2**22
"""Of a plane of more samples, only every n-th row is counted where all would be slow."""


class Histogram(NamedTuple):
    """Distinct samples in ascending order, in the type of the plane, and the number of each."""

    values: np.ndarray
    counts: np.ndarray


def count_samples(plane: np.ndarray) -> Histogram:
    """Count the samples of a plane.

    Args:
        plane: whole numbers of 8 or 16 bits, or of 32, of which some rows stand for all where there
            are more than `MOST_LOOKED_AT`.

    Example:
        >>> count_samples(np.array([[3, -1], [3, 3]], np.int16)).values
        array([-1,  3], dtype=int16)
    """
    if plane.itemsize > 2:
        return Histogram(*np.unique(take_some_rows(plane), return_counts=True))
    flat = np.ascontiguousarray(plane).reshape(-1).view(f"u{plane.itemsize}")
    counts = np.zeros(2 ** (8 * plane.itemsize), dtype=np.int64)
    for start in range(0, flat.size, BLOCK_SAMPLES):
        counts += np.bincount(flat[start : start + BLOCK_SAMPLES], minlength=counts.size)
    found = np.flatnonzero(counts)
    values = found.astype(flat.dtype).view(plane.dtype)
    order = np.argsort(values, kind="stable")
    return Histogram(values[order], counts[found[order]])


def take_some_rows(plane: np.ndarray) -> np.ndarray:
    """Take all rows of a plane, or every n-th where it has more than `MOST_LOOKED_AT` samples."""
    return plane[:: max(1, -(-plane.size // MOST_LOOKED_AT))]
