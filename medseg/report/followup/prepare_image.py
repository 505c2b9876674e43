"""Prepare image: make an image of any size and unit ready to be compared with another one."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from medseg.geometry import Geometry

_LONGEST_SIDE = 128  # voxels
_PERCENTILES = (0.5, 99.5)


def prepare_image(array: NDArray, geometry: Geometry) -> sitk.Image:
    """An image for comparison: without extreme values, of at most 128 voxels a side.

    Args:
        array: (I, J, K).
        geometry: its grid.

    Returns:
        Values of 0 to 1 between the percentiles 0.5 and 99.5; what lies beyond them is cut off, for
        metal and padding would take all the bins of a histogram. Blocks of voxels are averaged.

    Raises:
        ValueError: it is constant, of one slice, or its axes are not at right angles.
    """
    if not geometry.is_orthogonal or min(geometry.shape) < 2:
        what = "its axes are not at right angles" if min(geometry.shape) > 1 else "of one slice"
        raise ValueError(
            f"an image of shape {geometry.shape} cannot be registered ({what}): give images that "
            "are upright volumes, or masks on one grid with --no-registration"
        )
    low, high = np.percentile(array, _PERCENTILES)
    if not low < high:
        low, high = float(array.min()), float(array.max())
    if not low < high:
        raise ValueError(
            f"an image of the value {low:g} alone cannot be registered: give the images that the "
            "masks were made of"
        )
    values = np.clip(array.transpose(2, 1, 0), low, high).astype(np.float32)
    image = sitk.GetImageFromArray((values - np.float32(low)) / np.float32(high - low))
    image.SetSpacing(geometry.spacing_mm)
    affine = geometry.affine_lps
    image.SetOrigin([float(x) for x in affine[:3, 3]])
    image.SetDirection((affine[:3, :3] / geometry.spacing_mm).ravel().tolist())
    return _reduce(image)


def _reduce(image: sitk.Image) -> sitk.Image:
    """Average blocks of voxels, so that voxels are as cubic and as many as they need to be."""
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    wanted = max(float((size * spacing).max()) / _LONGEST_SIDE, float(spacing.min()))
    factors = np.clip(np.floor(wanted / spacing + 1e-6), 1, size // 2).astype(int)
    return sitk.BinShrink(image, [int(f) for f in factors]) if (factors > 1).any() else image
