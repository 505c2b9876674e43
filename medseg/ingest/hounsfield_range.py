"""Hounsfield range: what the values of CT cannot be, as a rescale that is wrong makes them.

Air is -1000 HU and there is air in every CT image, about the body and in it. Padding outside the
field of view is lower, at one value of its own (-2000 and -3024 are usual), which headers often do
not state; and a few values at its edge, where an image was interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medseg.ingest.histogram import Histogram
from medseg.ingest.slice import Slice

LOWEST_AIR_HU = -1124.0
"""No tissue and no air is lower, noise included."""

HIGHEST_AIR_HU = -100.0
"""Air and fat are lower; where nothing is, the rescale has lost its intercept."""

MOST_LOW = 0.02
"""More than this part of voxels lower than `LOWEST_AIR_HU` is no padding, no edge and no streak."""

_PADDING_VALUES = 2
"""So many values below air, the most frequent, are taken for padding that no header states."""

_BONE_HU = 1000.0  # and soft tissue, where 1024 too many were added
_NARROW_HU, _WIDE_STORED = 100.0, 500.0


@dataclass(frozen=True)
class HounsfieldRange:
    """What one slice of CT shows.

    Attributes:
        voxels: how many are no stated padding.
        low: how many of them are lower than air, and no padding that is not stated either.
        airy: how many are air, lung or fat.
        lowest: the lowest value that is no padding.
        highest: the highest.
        stored: the extent of the stored values.
    """

    voxels: int = 0
    low: int = 0
    airy: int = 0
    lowest: float = 0.0
    highest: float = 0.0
    stored: float = 0.0


def range_of(samples: Histogram, header: Slice) -> HounsfieldRange:
    """Measure the values of a slice whose samples are read as they are.

    Args:
        samples: without padding that the header states.
        header: whose rescale is applied.
    """
    slope, intercept = header.rescale
    hu = samples.values.astype(np.float64) * slope + intercept
    is_low = hu < LOWEST_AIR_HU
    is_used = ~is_low
    low = np.flatnonzero(is_low)
    is_used[low[np.argsort(samples.counts[low], kind="stable")[:-_PADDING_VALUES]]] = True
    if not is_used.any():
        return HounsfieldRange()
    return HounsfieldRange(
        voxels=int(samples.counts.sum()),
        low=int(samples.counts[is_low & is_used].sum()),
        airy=int(samples.counts[~is_low & (hu < HIGHEST_AIR_HU)].sum()),
        lowest=float(hu[is_used].min()),
        highest=float(hu[is_used].max()),
        stored=float(np.ptp(samples.values[is_used].astype(np.float64))),
    )


def has_too_low(ranges: Sequence[HounsfieldRange]) -> bool:
    """Whether many voxels are lower than air."""
    return sum(r.low for r in ranges) > MOST_LOW * sum(r.voxels for r in ranges)


def what_is_unlikely(ranges: Sequence[HounsfieldRange]) -> str:
    """What CT values of a series cannot be right; "" where nothing speaks against them."""
    ranges = [r for r in ranges if r.voxels]
    if not ranges:
        return ""
    lowest, highest = min(r.lowest for r in ranges), max(r.highest for r in ranges)
    if has_too_low(ranges):
        part = sum(r.low for r in ranges) / sum(r.voxels for r in ranges)
        return f"{part:.0%} of the voxels are lower than air, down to {lowest:g} HU"
    if any(r.airy for r in ranges):
        return ""
    stored = max(r.stored for r in ranges)
    if highest - lowest < _NARROW_HU and stored > _WIDE_STORED:
        return f"stored values {stored:g} apart make only {lowest:g} to {highest:g} HU"
    if highest >= _BONE_HU:
        return (
            f"the rescale leaves no CT value below {min(0.0, lowest):g} HU, where air and fat are"
        )
    return ""
