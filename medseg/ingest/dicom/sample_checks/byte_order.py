"""Byte order: whether the two bytes of samples were swapped, as the samples show.

In an image the upper byte changes less often from pixel to pixel than the lower one. Where it is
the other way round, and the lower byte has several values, the bytes are swapped.
"""

from __future__ import annotations

import numpy as np

from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.histogram import Histogram, take_some_rows

_LEAST_RATIO_OF_CHANGES = 2
"""The upper byte must change this many times as often as the lower one."""

_LEAST_VALUES, _LEAST_RANGE = 3, 2**15


def are_swapped(plane: np.ndarray, samples: Histogram, header: Slice) -> bool:
    """Whether the two bytes of 16-bit samples are swapped, and fit BitsStored once swapped back.

    Args:
        plane: (rows, columns), with all its bits.
        samples: those of the plane.
        header: of the slice.
    """
    values = samples.values
    if plane.itemsize != 2 or int(values[-1]) - int(values[0]) < _LEAST_RANGE:
        return False
    if plane.shape[1] < 2 or np.unique(values.view(np.uint16) & 0xFF).size < _LEAST_VALUES:
        return False
    upper, lower = count_changes(take_some_rows(plane))
    return upper > _LEAST_RATIO_OF_CHANGES * lower and fit_swapped(samples, header)


def count_changes(rows: np.ndarray) -> tuple[int, int]:
    """How often the upper and the lower byte change along rows of 16-bit samples.

    Example:
        >>> count_changes(np.array([[0, 1, 2, 258]], np.uint16))
        (1, 2)
    """
    some = np.ascontiguousarray(rows).view(np.uint16)
    differ = some[:, 1:] ^ some[:, :-1]
    return int(np.count_nonzero(differ & 0xFF00)), int(np.count_nonzero(differ & 0x00FF))


def fit_swapped(samples: Histogram, header: Slice) -> bool:
    """Whether 16-bit samples fit BitsStored once their bytes are swapped."""
    swapped = samples.values.byteswap()
    one_more = header.bits_stored - header.pixel_representation
    return bool(swapped.min() >= -(2**one_more) and int(swapped.max()) < 2**one_more)


def swap_bytes(samples: Histogram) -> Histogram:
    """Make the histogram of the same samples with their bytes swapped."""
    values = samples.values.byteswap()
    order = np.argsort(values, kind="stable")
    return Histogram(values[order], samples.counts[order])
