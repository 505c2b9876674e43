"""Lesions: the pieces of a structure, numbered from the largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import label_components


def number_lesions(within: NDArray[np.bool_]) -> tuple[NDArray[np.integer], int]:
    """Number the pieces of a structure from 1, the largest first, and count them.

    Pieces that touch at a corner are one. Of two pieces of one size the first in memory is first,
    so that measurements, reports and comparisons give a lesion the same number.

    Args:
        within: the voxels of the structure, (I, J, K); an empty one has no piece.

    Example:
        >>> pieces, count = number_lesions(np.array([[[1, 0, 1, 1]]], bool))
        >>> pieces.tolist(), count
        ([[[2, 0, 1, 1]]], 2)
    """
    pieces, count = label_components(within)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    numbers = np.zeros(count + 1, pieces.dtype)
    numbers[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    return numbers[pieces], count
