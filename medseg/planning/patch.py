"""Patch: patch, levels and kernels of a network, after the rules of nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from medseg.planning.task import Choice

FEWEST_AT_BOTTOM = 4
"""Voxels along each axis at the deepest level, at least, as nnU-Net has it."""

MOST_LEVELS = 6
FEWEST_HALVINGS = 2
"""Networks of the family have three levels or more; of small images fewer voxels than
`FEWEST_AT_BOTTOM` are left at the deepest one."""


def choose_patch(
    shape: Sequence[int], spacing_mm: Sequence[float], *, most: int
) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Patch, strides and kernels of a network for images of a shape.

    The patch begins as the whole image. While it has more voxels than `most`, the axis that is
    longest in mm is shortened; each is rounded up to what the levels divide. A level is added while
    one of the axes that it would
    halve keeps `FEWEST_AT_BOTTOM` voxels; an axis whose voxels are twice as long as the shortest is
    not halved, and the kernel is 1 along it, until those of the others have become as long.

    Args:
        shape: voxels of the images at the target spacing.
        spacing_mm: the target spacing.
        most: voxels of a patch.

    Returns:
        Voxels per axis; and for each level below the first its stride per axis, and for each level
        its kernel per axis.

    Source: Isensee et al. 2021, "nnU-Net", Methods, patch size and network topology.
    """
    patch = [int(n) for n in shape]
    while True:
        strides, kernels = _choose_levels(patch, spacing_mm)
        total = [int(t) for t in np.prod(strides, axis=0)] if strides else [1] * len(patch)
        rounded = [max(-(-n // t), min(t, 2)) * t for n, t in zip(patch, total, strict=True)]
        if prod(rounded) <= most:
            return rounded, strides, kernels
        lengths = [n * mm for n, mm in zip(patch, spacing_mm, strict=True)]
        longest = int(np.argmax(lengths))
        patch[longest] = max(min(rounded[longest] - total[longest], patch[longest] - 1), 1)


def _choose_levels(
    shape: Sequence[int], spacing_mm: Sequence[float]
) -> tuple[list[list[int]], list[list[int]]]:
    sizes, spacing = [float(n) for n in shape], [float(mm) for mm in spacing_mm]
    strides: list[list[int]] = []
    kernels: list[list[int]] = []
    while len(kernels) < MOST_LEVELS:
        fine = min(spacing)
        near = [mm < 2 * fine for mm in spacing]
        kernels.append([3 if is_near else 1 for is_near in near])
        halved = [n >= 2 * FEWEST_AT_BOTTOM and ok for n, ok in zip(sizes, near, strict=True)]
        if not any(halved) and len(strides) < FEWEST_HALVINGS:  # the patch is padded for it
            halved = [2 * n > max(sizes) and (n >= 4 or max(sizes) < 4) for n in sizes]
        if not any(halved) or len(kernels) == MOST_LEVELS:
            break
        strides.append([2 if h else 1 for h in halved])
        sizes = [n / 2 if h else n for n, h in zip(sizes, halved, strict=True)]
        spacing = [mm * 2 if h else mm for mm, h in zip(spacing, halved, strict=True)]
    return strides, kernels


def explain_patch(
    patch: Sequence[int],
    strides: Sequence[Sequence[int]],
    kernels: Sequence[Sequence[int]],
    shape: Sequence[int],
    most: int,
) -> list[Choice]:
    whole = "x".join(map(str, shape))
    unit = "voxels" if len(shape) == 3 else "pixels"
    why = f"the median image, {whole}, rounded up to what the levels divide"
    if any(n < all_of_it for n, all_of_it in zip(patch, shape, strict=True)):
        why = (
            f"a part of the median image, {whole}, of at most {most} {unit}: it was shortened "
            "where it is longest, and rounded up to what the levels divide"
        )
    choices = [Choice("image_size", list(patch), why)]
    if any(set(step) != {2} for step in strides):
        rule = (
            f"each level halves an axis that has {2 * FEWEST_AT_BOTTOM} {unit} or more, unless its "
            f"{unit} are much longer than along the others"
        )
        choices.append(Choice("strides", [list(step) for step in strides], rule))
    if any(set(kernel) != {3} for kernel in kernels):
        rule = f"1 along an axis whose {unit} are at least twice as long as the shortest"
        choices.append(Choice("kernel_size", [list(kernel) for kernel in kernels], rule))
    return choices


def choose_patches(patch: Sequence[int], shape: Sequence[int]) -> Choice:
    """How many patches of an image a step has."""
    unit = "voxel" if len(shape) == 3 else "pixel"
    if all(n >= of_all for n, of_all in zip(patch, shape, strict=True)):
        return Choice("patches_per_volume", 1, "a patch holds the whole of the median image")
    return Choice("patches_per_volume", 2, f"about one around a labelled {unit}, one anywhere")
