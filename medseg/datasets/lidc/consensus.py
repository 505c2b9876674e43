"""LIDC consensus: the voxels that the readers of a nodule agree on.

Sets of voxels are sorted flat indices, see `medseg.datasets.lidc.marks`.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from medseg.datasets.lidc.marks import Voxels
from medseg.datasets.own.readers.combine import estimate_staple

_COUNT_TOLERANCE = 1e-9


def find_consensus(readers: Sequence[Voxels], *, agreement: float = 0.5) -> Voxels:
    """Keep the voxels that at least the share `agreement` of the readers drew.

    The share is of the readers who outlined the nodule, as pylidc counts, not of all four: a nodule
    outlined by one reader keeps that outline. At 0.5 it takes 2 of 4, 2 of 3, 1 of 2 or 1 of 1.
    At 1 it is the intersection, and just above 0 the union.

    Args:
        readers: the voxels of each reader, at least one.
        agreement: above 0, at most 1.

    Returns:
        Their consensus; empty where they do not meet often enough.

    Raises:
        ValueError: `agreement` out of range.

    Example:
        >>> find_consensus([np.array([1, 2]), np.array([2, 3]), np.array([2, 3])]).tolist()
        [2, 3]
    """
    if not 0 < agreement <= 1:
        raise ValueError(f"agreement is {agreement}: choose a share above 0, at most 1")
    voxels, counts = np.unique(np.concatenate(readers), return_counts=True)
    return voxels[counts >= agreement * len(readers) - _COUNT_TOLERANCE]


def run_staple(readers: Sequence[Voxels], shape: tuple[int, int, int]) -> Voxels:
    """Estimate the nodule by STAPLE: the voxels of a probability of at least 0.5.

    See `estimate_staple`.
    """
    places = [np.stack(np.unravel_index(voxels, shape), axis=1) for voxels in readers]
    low = np.maximum(np.concatenate(places).min(axis=0) - 1, 0)
    high = np.minimum(np.concatenate(places).max(axis=0) + 2, shape)
    masks = [np.zeros(high - low, bool) for _ in readers]
    for mask, place in zip(masks, places, strict=True):
        mask[tuple((place - low).T)] = True
    found = np.argwhere(estimate_staple(masks) >= 0.5) + low
    return np.sort(np.ravel_multi_index(tuple(found.T), shape))


def compute_dice(a: Voxels, b: Voxels) -> float:
    """Overlap of two sets that are not both empty: 2 |a and b| / (|a| + |b|), 0 to 1."""
    shared = np.intersect1d(a, b, assume_unique=True).size
    return 2 * shared / (a.size + b.size)


def compute_pairwise_dice(readers: Sequence[Voxels]) -> float | None:
    """Mean Dice over all pairs of readers; None for a single reader."""
    scores = [compute_dice(a, b) for a, b in combinations(readers, 2)]
    return float(np.mean(scores)) if scores else None
