"""Hounsfield range: find CT values that only a wrong rescale makes.

Air is -1000 HU and there is air in every CT image, about the body and in it. Padding outside the
field of view is lower, at one value of its own (-2000 and -3024 are usual), which headers often do
not state; and a few values at its edge, where an image was interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.histogram import Histogram
from medseg.ingest.dicom.pixels.rescale import HIGHEST_HU

LOWEST_AIR_HU = -1124.0
"""No tissue and no air is lower, noise included."""

HIGHEST_AIR_HU = -100.0
"""Air and fat are lower. If no value is, the rescale has lost its intercept."""

MOST_LOW = 0.02
"""A larger part of voxels below `LOWEST_AIR_HU` is neither padding nor an artefact."""

_PADDING_VALUES = 2
"""This many of the values below air, the most frequent, count as padding that is not stated."""

HIGHEST_BONE_HU = 4095.0
"""Bone and teeth are lower by far; metal is higher, where the scale is an extended one."""

MOST_METAL = 0.05
"""A larger part of voxels above `HIGHEST_BONE_HU` is no implant."""

MOST_DENSE = 0.85
"""At most this part of the voxels outside air and lung is bone, metal or contrast."""

MOST_LUNG = 5
"""No body has this many times as many voxels between lung and fat as of tissue."""

_LUNG_HU = (-650.0, -300.0)  # between lung and fat: edges and diseased lung
_TISSUE_HU, _DENSE_HU = -200.0, 400.0  # fat, and what is denser than any soft tissue
_LEAST_PART = 0.01  # fewer voxels say nothing
LEAST_TISSUE = 0.05
"""In a body, at least this part of the voxels outside unstated padding is tissue."""

_ONLY_AIR_STORED = 1000.0  # stored values of tissue and air lie so far apart

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
        metal: how many voxels are higher than bone.
        dense: how many are higher than soft tissue, metal included.
        tissue: how many are fat or higher.
        between: how many lie between lung and fat.
        padded: how many are padding that is not stated, or what looks like it.
    """

    voxels: int = 0
    low: int = 0
    airy: int = 0
    lowest: float = 0.0
    highest: float = 0.0
    stored: float = 0.0
    metal: int = 0
    dense: int = 0
    tissue: int = 0
    between: int = 0
    padded: int = 0


def measure_range(samples: Histogram, header: Slice) -> HounsfieldRange:
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

    def count(mask: np.ndarray) -> int:
        return int(samples.counts[mask].sum())

    return HounsfieldRange(
        voxels=int(samples.counts.sum()),
        low=count(is_low & is_used),
        airy=count(~is_low & (hu < HIGHEST_AIR_HU)),
        lowest=float(hu[is_used].min()),
        highest=float(hu[is_used].max()),
        stored=float(np.ptp(samples.values[is_used].astype(np.float64))),
        metal=count(hu > HIGHEST_BONE_HU),
        dense=count(hu > _DENSE_HU),
        tissue=count(hu > _TISSUE_HU),
        between=count((hu > _LUNG_HU[0]) & (hu < _LUNG_HU[1])),
        padded=count(~is_used),
    )


def drop_padding(samples: Histogram, header: Slice) -> Histogram:
    """Drop the samples that the header calls padding."""
    if header.padding is None:
        return samples
    low, high = np.array(header.padding).astype(samples.values.dtype)
    is_image = ~((samples.values >= low) & (samples.values <= high))
    return Histogram(samples.values[is_image], samples.counts[is_image])


def is_unlikely(samples: Histogram, header: Slice) -> bool:
    """Whether a slice of CT has values that CT never has, or many that are lower than air."""
    found = measure_range(drop_padding(samples, header), header)
    return found.highest > HIGHEST_HU or has_too_low([found])


def is_hounsfield(header: Slice) -> bool:
    """Whether values are of CT and in no other unit than HU."""
    return header.kind == "CT" and header.rescale_type in ("", "HU")


def has_too_low(ranges: Sequence[HounsfieldRange]) -> bool:
    """Whether many voxels are lower than air."""
    return sum(r.low for r in ranges) > MOST_LOW * sum(r.voxels for r in ranges)


def describe_unlikely(ranges: Sequence[HounsfieldRange]) -> str:
    """Describe CT values of a series that cannot be right; "" where there are none."""
    ranges = [r for r in ranges if r.voxels]
    if not ranges:
        return ""
    lowest, highest = min(r.lowest for r in ranges), max(r.highest for r in ranges)
    if has_too_low(ranges):
        part = sum(r.low for r in ranges) / sum(r.voxels for r in ranges)
        return f"{part:.0%} of the voxels are lower than air, down to {lowest:g} HU"
    if any(r.airy for r in ranges):
        return _describe_wrong_slope(ranges)
    stored = max(r.stored for r in ranges)
    if highest - lowest < _NARROW_HU and stored > _WIDE_STORED:
        return f"stored values span {stored:g}, but become only {lowest:g} to {highest:g} HU"
    if highest >= _BONE_HU:
        return (
            f"the rescale leaves no CT value below {min(0.0, lowest):g} HU, where air and fat are"
        )
    return ""


def _describe_wrong_slope(ranges: Sequence[HounsfieldRange]) -> str:
    """Describe a body without soft tissue, or with more metal than bone; "" where there is none.

    A slope that is wrong leaves air where it is and moves all tissue.
    """
    voxels, metal, dense, tissue, between, padded = (
        sum(getattr(r, name) for r in ranges)
        for name in ("voxels", "metal", "dense", "tissue", "between", "padded")
    )
    least, (low, high) = _LEAST_PART * voxels, _LUNG_HU
    if metal > MOST_METAL * voxels:
        return (
            f"{metal / voxels:.0%} of the voxels are above {HIGHEST_BONE_HU:g} HU, which no bone is"
        )
    if dense > max(MOST_DENSE * tissue, least):
        part = f"{dense / tissue:.0%} of the voxels above {_TISSUE_HU:g} HU"
        return f"{part} are above {_DENSE_HU:g} HU, which no soft tissue is"
    inside, stored = voxels - padded, max(r.stored for r in ranges)
    if padded > MOST_LOW * voxels and stored > 0 and tissue <= LEAST_TISSUE * inside:
        part = f"{tissue / inside:.0%} of the voxels above {LOWEST_AIR_HU:g} HU"
        return f"{part} are above {_TISSUE_HU:g} HU, too few for a body"
    if stored <= _ONLY_AIR_STORED:
        return ""
    if between > max(MOST_LUNG * tissue, least):
        found = f"{between} voxels are from {low:g} to {high:g} HU and {tissue} higher"
        return f"{found} than {_TISSUE_HU:g} HU, unlike any tissue"
    highest = max(r.highest for r in ranges)
    finding = f"the highest value is {highest:g} HU, lower than any tissue"
    return f"{finding}, though stored values span {stored:g}" if highest < high else ""
