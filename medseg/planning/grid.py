"""Grid: the voxels that a network sees, as fine as those of the cases, or coarser to see more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from medseg.planning.fingerprint import Fingerprint

COARSE = 3.0
"""Voxels so many times longer along one axis than along the others are anisotropic, as nnU-Net has
it; the target spacing along that axis is then the tenth percentile, not the median."""

FEWEST_ACROSS = 4.0
"""Voxels that the parts of the smallest class keep from side to side, at least."""

WORTH_IT = 1.25
"""Voxels are made coarser where the shortest becomes so many times longer: interpolation blurs."""


@dataclass(frozen=True)
class TargetGrid:
    """The grid on which a network sees the images of a dataset.

    Attributes:
        spacing_mm: of its voxels, or pixels.
        shape: voxels of the median image on it.
        is_resampled: whether the cases have to be brought onto it.
        why: the reason of the spacing; empty for pictures.
    """

    spacing_mm: tuple[float, ...]
    shape: tuple[int, ...]
    is_resampled: bool = False
    why: str = ""


def choose_grid(found: Fingerprint, *, patch_voxels: int, parts_across: float) -> TargetGrid:
    """Choose the target spacing of volumes; pictures stay as they are.

    It is that of the cases (`choose_spacing`). A patch that is smaller than the structure it looks
    at tells little of where it is, so the voxels are made coarser, the shortest sides first, until
    a patch is `parts_across` times as wide as the parts of the largest class, or holds the whole
    image; the parts of the smallest class keep `FEWEST_ACROSS` voxels from side to side.

    Args:
        found: what the cases have in common.
        patch_voxels: of a 3D patch, at most.
        parts_across: how many parts of the largest class are as wide as a patch; 0 for the
            spacing of the cases, whatever they show.

    Source: for the spacing of the cases Isensee et al. 2021, "nnU-Net", Methods, resampling.
    """
    if found.dimensions == 2:
        return TargetGrid(found.spacing_mm, found.shape)
    fine = choose_spacing(found)
    is_thinned = fine != tuple(round(mm, 3) for mm in found.spacing_mm)
    why = "the median of the cases"
    if is_thinned:
        why += f", and the tenth percentile along the axis that is {COARSE:g} times coarser"
    elif not found.spacing_varies:
        why = "all cases have it within 1 %"
    spacing, more = _coarsen(found, fine, patch_voxels=patch_voxels, parts_across=parts_across)
    if more:
        why = f"coarser than {'x'.join(f'{mm:g}' for mm in fine)}, {why}, {more}"
    pairs = zip(found.shape, found.spacing_mm, spacing, strict=True)
    shape = tuple(max(round(n * before / after), 1) for n, before, after in pairs)
    return TargetGrid(spacing, shape, is_resampled=found.spacing_varies or bool(more), why=why)


def choose_spacing(found: Fingerprint) -> tuple[float, ...]:
    """The spacing of the cases, in mm.

    The median; along an axis whose voxels are `COARSE` times longer than the others, the tenth
    percentile, so that slices of most cases are not thinned out.

    Source: Isensee et al. 2021, "nnU-Net", Methods, resampling.
    """
    spacing = list(found.spacing_mm)
    coarse = int(np.argmax(spacing))
    others = [mm for axis, mm in enumerate(spacing) if axis != coarse]
    if spacing[coarse] > COARSE * max(others):
        spacing[coarse] = max(found.coarse_mm, max(others))
    return tuple(round(mm, 3) for mm in spacing)


def _coarsen(
    found: Fingerprint, fine: tuple[float, ...], *, patch_voxels: int, parts_across: float
) -> tuple[tuple[float, ...], str]:
    """The spacing, coarser where that pays, and the reason, empty where it does not."""
    if not parts_across or not found.part_mm:
        return fine, ""
    widest, narrowest = max(found.part_mm.values()), min(found.part_mm.values())
    image_mm3 = prod(n * mm for n, mm in zip(found.shape, found.spacing_mm, strict=True))
    edge_mm = parts_across * widest
    shortest = _find_shortest(fine, min(edge_mm**3, image_mm3) / patch_voxels)
    why = f"so that a patch is {parts_across:g} times as wide as the parts of a class, "
    why += f"about {widest:.0f} mm"
    if edge_mm**3 > image_mm3:
        why = "so that a patch holds the whole image"
    if shortest > narrowest / FEWEST_ACROSS:
        shortest = narrowest / FEWEST_ACROSS
        why = "so that a patch shows more; the parts of the smallest class, about "
        why += f"{narrowest:.0f} mm, keep {FEWEST_ACROSS:g} voxels from side to side"
    if shortest < WORTH_IT * min(fine):
        return fine, ""
    return tuple(max(mm, round(shortest, 2)) for mm in fine), why


def _find_shortest(spacing_mm: Sequence[float], voxel_mm3: float) -> float:
    """The length to which shorter sides of a voxel grow, so that it has a volume; 0 if it has it.

    Example:
        >>> _find_shortest((1.0, 1.0, 4.0), 16.0)
        2.0
    """
    sides = sorted(spacing_mm)
    if prod(sides) >= voxel_mm3:
        return 0.0
    for count in range(1, len(sides) + 1):  # the shortest so many grow to the same length
        length = (voxel_mm3 / prod(sides[count:])) ** (1 / count)
        if count == len(sides) or length <= sides[count]:
            break
    return float(length)
