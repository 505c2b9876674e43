"""Slices: how volumes are cut into slices for a network in 2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medseg.planning.fingerprint import Fingerprint

BACKGROUND = 0.25
"""Slices without foreground that a training uses, as a fraction of those with it; the layer
`slices` has the same as `background_slices`."""

_LONGER = 1.01
"""Voxels so many times longer along an axis than along the last one make it the axis to cut."""


@dataclass(frozen=True)
class Slices:
    """How the volumes of a dataset are cut into slices.

    Attributes:
        axis: along which they are cut, 0, 1 or 2.
        shape: pixels of a slice of the median image.
        spacing_mm: of these pixels.
        per_case: slices of a case that an epoch of a training uses, in the mean.
    """

    axis: int
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    per_case: int

    @property
    def kept_axes(self) -> tuple[int, int]:
        """The two axes of a volume that a slice has."""
        first, second = (axis for axis in range(3) if axis != self.axis)
        return first, second


def cut_into_slices(
    found: Fingerprint, shape: Sequence[int], spacing_mm: Sequence[float]
) -> Slices:
    """Cut volumes along the axis of their longest voxels; from feet to head where none are longer.

    Args:
        found: what the cases, which are volumes, have in common.
        shape: voxels of the median image at the target spacing.
        spacing_mm: the target spacing.

    Source: Isensee et al. 2021, "nnU-Net", Methods, 2D U-Net.
    """
    longest = max(range(3), key=lambda axis: spacing_mm[axis])
    axis = longest if spacing_mm[longest] > _LONGER * spacing_mm[2] else 2
    kept = [a for a in range(3) if a != axis]
    stretched = found.spacing_mm[axis] / spacing_mm[axis]
    labelled = found.labelled_slices[axis] * stretched
    return Slices(
        axis=axis,
        shape=(shape[kept[0]], shape[kept[1]]),
        spacing_mm=(spacing_mm[kept[0]], spacing_mm[kept[1]]),
        per_case=max(min(round(labelled * (1 + BACKGROUND)), shape[axis]), 1),
    )
