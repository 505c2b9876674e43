"""Fast: the windows of a model in fewer passes, whose labels differ a little."""

from collections.abc import Sequence
from typing import Any

from medseg.inference.tiles.inferer import OverlapTileInferer

HALO = 1 / 8
"""Context on each side of a fast window, as a part of it."""


def make_inferer(
    roi_size: Sequence[int], *, fast: bool = False, flips: Sequence[int] = (), **options: Any
) -> OverlapTileInferer:
    """An inferer with windows as they are stated, or with those of fewer passes.

    Fast windows are cropped and do not blend: each voxel is predicted once, by a window that sees
    an eighth of its size or more around it, and without flips.

    Args:
        roi_size: voxels per axis that the network sees at once.
        fast: whether fewer passes are made.
        flips: axes for test-time flips, where it is not fast.
        options: the others of `OverlapTileInferer`.

    Example:
        >>> make_inferer([64, 64, 64], fast=True, mode="blend", overlap=0.5, flips=[0]).tiling.halo
        [8, 8, 8]
    """
    if not fast:
        return OverlapTileInferer(roi_size, flips=flips, **options)
    halo = [int(size * HALO) for size in roi_size]
    return OverlapTileInferer(roi_size, **{**options, "mode": "crop", "edge": "zero"}, halo=halo)
