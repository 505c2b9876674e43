"""Similarity: how far two images overlap, and how alike they are there."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

_BINS = 32
_FEWEST = 64  # voxels of an overlap that tell anything


def measure_overlap(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    """The part of the smaller image that the other one covers, by their extents alone, 0 to 1.

    Args:
        fixed: an image.
        moving: another one.
        transform: from points of `fixed` to those of `moving`.
    """
    covered = float(_cover(fixed, moving, transform).mean())
    of_moving = covered * _measure_extent(fixed) / _measure_extent(moving)
    return min(max(covered, of_moving), 1.0)


def measure_similarity(
    fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform
) -> float | None:
    """The entropy correlation coefficient where two images overlap, from 0 to 1.

    It is twice the mutual information by the sum of both entropies: 0 for images that say nothing
    of each other, 1 for images of which each tells the other. It does not ask for equal values, so
    that a phase of contrast or another sequence of MR may differ.

    Args:
        fixed: an image with values of 0 to 1.
        moving: another one.
        transform: from points of `fixed` to those of `moving`.

    Returns:
        None where they hardly overlap.

    Source: Maes et al., "Multimodality image registration by maximization of mutual information",
    IEEE Transactions on Medical Imaging, 1997, equation 5.
    """
    inside = _cover(fixed, moving, transform)
    if np.count_nonzero(inside) < _FEWEST:
        return None
    moved = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
    here, there = (sitk.GetArrayViewFromImage(one)[inside] for one in (fixed, moved))
    counts = np.histogram2d(here, there, bins=_BINS, range=((0, 1), (0, 1)))[0]
    joint = counts / counts.sum()
    alone = _measure_entropy(joint.sum(axis=0)) + _measure_entropy(joint.sum(axis=1))
    return 2 * (alone - _measure_entropy(joint)) / alone if alone > 0 else 0.0


def _cover(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> NDArray[np.bool_]:
    """Which voxels of `fixed` lie within the extent of `moving`."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    moved = sitk.Resample(ones, fixed, transform, sitk.sitkNearestNeighbor, 0)
    inside: NDArray[np.bool_] = sitk.GetArrayFromImage(moved) > 0
    return inside


def _measure_extent(image: sitk.Image) -> float:
    return float(np.prod(image.GetSize()) * np.prod(image.GetSpacing()))


def _measure_entropy(parts: NDArray[np.float64]) -> float:
    parts = parts[parts > 0]
    return float(-(parts * np.log(parts)).sum())
