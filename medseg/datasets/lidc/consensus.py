"""LIDC consensus: the voxels that the readers of a nodule agree on.

Sets of voxels are sorted flat indices, see `medseg.datasets.lidc.marks`.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses

from medseg.datasets.lidc.marks import Voxels

_COUNT_TOLERANCE = 1e-9
_MARGIN_VOXELS = 1  # STAPLE also learns from the background: this much of it


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

    It runs on the box around all readers and one voxel more; a larger box makes readers look more
    specific. A single reader's voxels are kept as they are.

    Source: Warfield, Zou, Wells, Simultaneous truth and performance level estimation, IEEE TMI 23,
    2004, as SimpleITK implements it.
    """
    if len(readers) == 1:
        return readers[0]
    places = np.stack(np.unravel_index(np.unique(np.concatenate(readers)), shape), axis=1)
    low = np.maximum(places.min(axis=0) - _MARGIN_VOXELS, 0)
    high = np.minimum(places.max(axis=0) + _MARGIN_VOXELS + 1, shape)
    images = []
    for voxels in readers:
        box = np.zeros(high - low, np.uint8)
        box[tuple(np.stack(np.unravel_index(voxels, shape)) - low[:, None])] = 1
        images.append(sitk.GetImageFromArray(box))
    probability = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0))
    found = np.argwhere(probability >= 0.5) + low
    return np.sort(np.ravel_multi_index(tuple(found.T), shape))


def compute_dice(a: Voxels, b: Voxels) -> float:
    """Overlap of two sets that are not both empty: 2 |a and b| / (|a| + |b|), 0 to 1."""
    shared = np.intersect1d(a, b, assume_unique=True).size
    return 2 * shared / (a.size + b.size)


def compute_pairwise_dice(readers: Sequence[Voxels]) -> float | None:
    """Mean Dice over all pairs of readers; None for a single reader."""
    scores = [compute_dice(a, b) for a, b in combinations(readers, 2)]
    return float(np.mean(scores)) if scores else None
