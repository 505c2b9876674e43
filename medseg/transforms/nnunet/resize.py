"""Resize: an image with another number of voxels along its axes, by the rule of nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

ANISOTROPY = 3.0
"""Voxels this many times longer along one axis than along another are resized slice by slice."""

SMALLEST_WEIGHT = 1e-12
"""A voxel that weighs less, which is below the rounding of float32, does not count."""


def count_voxels(
    shape: Sequence[int], spacing_mm: Sequence[float], target_mm: Sequence[float]
) -> tuple[int, ...]:
    """How many voxels along each axis an image has in another spacing.

    Example:
        >>> count_voxels((512, 512, 40), (0.8, 0.8, 5.0), (1.0, 1.0, 2.5))
        (410, 410, 80)
    """
    axes = zip(shape, spacing_mm, target_mm, strict=True)
    return tuple(round(old / new * count) for count, old, new in axes)


def find_slice_axis(
    spacing_mm: Sequence[float],
    target_mm: Sequence[float],
    *,
    slices: bool | None = None,
    anisotropy: float = ANISOTROPY,
) -> int | None:
    """The axis along which an image is resized slice by slice; None for no such axis.

    It is the one of the longest voxels, of the image or else of the target, if these are longer by
    the factor `anisotropy` than the shortest; and none where two axes share that length.

    Args:
        spacing_mm: of the image.
        target_mm: the spacing that it is to have.
        slices: True and False decide for or against it, whatever the voxels.
        anisotropy: see above.

    Source: Isensee et al., nnU-Net, Nature Methods 2021, supplementary note 2.

    Example:
        >>> find_slice_axis((5.0, 0.8, 0.8), (1.0, 1.0, 1.0))
        0
    """
    if slices is False:
        return None
    known = (spacing_mm,) if slices else (spacing_mm, target_mm)
    long = [mm for mm in known if slices or max(mm) / min(mm) > anisotropy]
    if not long:
        return None
    axes = [axis for axis, mm in enumerate(long[0]) if mm == max(long[0])]
    return axes[0] if len(axes) == 1 else None


def resize(
    image: Tensor, shape: Sequence[int], *, slice_axis: int | None, order: int = 3
) -> Tensor:
    """An image with another number of voxels, whose outer faces stay where they are.

    Each axis is a product with a matrix, so that it takes a small part of the time of
    `skimage.transform.resize`, whose values it has.

    Args:
        image: (C, *spatial), float32.
        shape: the new one, without channels.
        slice_axis: the axis along which the nearest slice is taken; None for none.
        order: of the splines along the other axes, 0 to 3.

    Returns:
        (C, *shape), float32, within the range that each channel, or each slice, had.
    """
    if tuple(image.shape[1:]) == tuple(shape):
        return image
    kept = [0] if slice_axis is None else [0, slice_axis + 1]
    others = [dim for dim in range(image.ndim) if dim not in kept]
    found = image
    for dim in others:
        old, new = image.shape[dim], shape[dim - 1]
        if old != new:
            found = _multiply(found, torch.from_numpy(make_matrix(old, new, order)), dim)
    lowest, highest = image.amin(others, keepdim=True), image.amax(others, keepdim=True)
    found = found.clamp(lowest, highest)
    if slice_axis is not None:
        nearest = find_nearest(image.shape[slice_axis + 1], shape[slice_axis])
        found = found.index_select(slice_axis + 1, nearest)
    return found.contiguous()


@lru_cache(maxsize=8)
def make_matrix(old: int, new: int, order: int) -> np.ndarray:
    """The matrix (new, old), float32, by which `scipy.ndimage.zoom` resizes a line of voxels."""
    lines = np.eye(old)
    columns = [
        ndimage.zoom(line, new / old, order=order, mode="nearest", grid_mode=True) for line in lines
    ]
    matrix = np.stack(columns, axis=1)
    matrix[abs(matrix) < SMALLEST_WEIGHT] = 0  # as float32 the least of them would slow all down
    return matrix.astype(np.float32)


def _multiply(image: Tensor, matrix: Tensor, dim: int) -> Tensor:
    """An image with the lines along one dimension multiplied by a matrix (new, old)."""
    if dim == image.ndim - 1:
        return image @ matrix.T
    lines = image.flatten(dim + 1)  # (..., old, all that comes after)
    return (matrix @ lines).unflatten(-1, image.shape[dim + 1 :])


def find_nearest(old: int, new: int) -> Tensor:
    """The slice of each new one: that which holds its middle; where two are as near, either one."""
    middles = (np.arange(new) + 0.5) * (old / new) - 0.5
    return torch.from_numpy(np.floor(middles + 0.5).astype(np.int64).clip(0, old - 1))
