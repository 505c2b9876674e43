"""Sample findings: what the samples of one slice show of its bits, its sign and its values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.uid import RLELossless

from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.histogram import Histogram, count_samples
from medseg.ingest.dicom.pixels.rescale import HIGHEST_HU, check_mapped_range
from medseg.ingest.dicom.pixels.unused_bits import drop_unused_bits, find_surplus
from medseg.ingest.dicom.sample_checks.byte_order import are_swapped, swap_bytes
from medseg.ingest.dicom.sample_checks.hounsfield_range import (
    HounsfieldRange,
    drop_padding,
    is_hounsfield,
    is_unlikely,
    measure_range,
)

LOWEST_HU = -1024.0
"""No CT value is lower, except padding: air is -1000 HU. What is lower makes samples implausible.

The value that is written for padding is `medseg.ingest.dicom.pixels.rescale.CT_PADDING_HU`.
"""

LOWEST_UNSTATED_HU = -8192.0
"""Padding that no header states goes down to here: the lowest value of an extended CT scale."""

_LEAST_BONE = 3
"""At least this many distinct values are bone; fewer may be padding that no header states."""


@dataclass(frozen=True)
class SampleFindings:
    """What the samples of one slice show.

    Attributes:
        is_blank: whether all samples are equal, which says nothing.
        is_swapped: whether the two bytes of samples are in the other order.
        surplus: samples with bits above BitsStored that neither sign, padding nor overlay explains.
        bits: so many are needed for the surplus.
        is_padded: whether samples are padding that BitsStored cannot hold.
        is_signed: whether all of the surplus is what the sign of lower bits would write.
        is_wide: whether the surplus makes CT values of what would be below `LOWEST_HU` without.
        impossible_hu: the highest CT value, where it is above `HIGHEST_HU`; else 0.
        is_negative: whether all such values are negative ones that CT has, once the sign is read.
        high_as_low: the lowest CT value of negative samples, where all of them are bone without the
            sign that is stated; else 0.
        has_negative: whether negative samples make values that CT has.
        samples: the distinct ones, without padding.
        hounsfield: the range of CT values.
    """

    is_blank: bool = False
    is_swapped: bool = False
    surplus: int = 0
    bits: int = 0
    is_padded: bool = False
    is_signed: bool = False
    is_wide: bool = False
    impossible_hu: float = 0.0
    is_negative: bool = False
    high_as_low: float = 0.0
    has_negative: bool = False
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))
    hounsfield: HounsfieldRange = field(default_factory=HounsfieldRange)


def find_in_samples(header: Slice, plane: np.ndarray) -> SampleFindings:
    """Look at the samples of a slice.

    Args:
        header: of the slice.
        plane: its samples, (rows, columns), with the bits above BitsStored.

    Raises:
        IngestError: "conflicting-rescale", see `check_mapped_range`.
    """
    samples = count_samples(plane)
    check_mapped_range(drop_unused_bits(samples.values.copy(), header), header)
    if samples.values.size < 2:
        return replace(_find_in_order(header, samples), is_blank=True)
    if header.transfer_syntax.is_encapsulated or not are_swapped(plane, samples, header):
        return _find_in_order(header, samples)
    if is_hounsfield(header) and is_unlikely(swap_bytes(samples), header):
        return _find_in_order(header, samples)
    return SampleFindings(is_swapped=True)


def _find_in_order(header: Slice, samples: Histogram) -> SampleFindings:
    has_negative, high_as_low = _find_negative_hu(samples, header)
    if high_as_low:
        return SampleFindings(high_as_low=high_as_low)
    return replace(_find_surplus(header, samples), has_negative=has_negative)


def _find_negative_hu(samples: Histogram, header: Slice) -> tuple[bool, float]:
    """`has_negative` and `high_as_low` of a codestream that states no sign."""
    if not header.is_sign_unknown or not is_hounsfield(header):
        return False, 0.0
    values = drop_unused_bits(drop_padding(samples, header).values.copy(), header)
    negative = np.unique(values[values < 0]).astype(float)
    slope, intercept = header.rescale
    low = negative * slope + intercept
    if (low >= LOWEST_HU).any():
        return True, 0.0
    is_bone = negative.size >= _LEAST_BONE and _are_hu(low + slope * 2.0**header.bits_stored)
    return False, float(low.min()) if is_bone else 0.0


def _find_surplus(header: Slice, samples: Histogram) -> SampleFindings:
    """What samples show of bits and values, where their sign is as stated."""
    masks = find_surplus(samples.values, header)
    if masks is None or not masks[0].any():
        found = _find_impossible(header, _drop_what_is_not_read(samples, header, masks))
        return replace(found, is_padded=masks is not None and bool(masks[1].any()))
    surplus, padded = masks
    if _is_twos_complement(samples.values[surplus], header):
        return SampleFindings(is_padded=bool(padded.any()))
    slope, intercept = header.rescale
    whole = samples.values[surplus]
    cut = drop_unused_bits(whole.copy(), header)
    signed = whole.view(f"i{whole.itemsize}")
    extended = drop_unused_bits(signed.copy(), header)
    lows, highs = (values.astype(float) * slope + intercept for values in (cut, whole))
    return SampleFindings(
        surplus=int(samples.counts[surplus].sum()),
        bits=_count_bits(whole),
        is_padded=bool(padded.any()),
        is_signed=header.pixel_representation == 0 and bool((signed == extended).all()),
        is_wide=header.kind == "CT" and bool((lows < LOWEST_HU).all() and _are_hu(highs)),
    )


def _drop_what_is_not_read(
    samples: Histogram, header: Slice, masks: tuple[np.ndarray, np.ndarray] | None
) -> Histogram:
    """Samples without what lies above BitsStored, an overlay or padding."""
    if masks is None:
        return samples
    values = drop_unused_bits(samples.values[~masks[1]].copy(), header)
    order = np.argsort(values, kind="stable")
    return Histogram(values[order], samples.counts[~masks[1]][order])


def _is_twos_complement(surplus: np.ndarray, header: Slice) -> bool:
    """Whether a codestream without a sign has negative samples in BitsStored, as it may."""
    is_compressed = header.transfer_syntax.is_encapsulated
    if not is_compressed or header.transfer_syntax == RLELossless:
        return False
    is_within = surplus.min() >= 0 and int(surplus.max()) < 2**header.bits_stored
    return header.pixel_representation == 1 and bool(is_within)


def _count_bits(values: np.ndarray) -> int:
    """How many bits hold values, one of them the sign where their type has one."""
    lowest, highest = int(values.min()), int(values.max())
    return max(highest, -lowest - 1).bit_length() + (values.dtype.kind == "i")


def _are_hu(values: np.ndarray) -> bool:
    return bool(values.min() >= LOWEST_HU and values.max() <= HIGHEST_HU)


def _find_impossible(header: Slice, samples: Histogram) -> SampleFindings:
    """Values that CT never has, and in others what looks like negative ones without a sign."""
    samples = drop_padding(samples, header)
    values = samples.values
    if not values.size:
        return SampleFindings()
    if not is_hounsfield(header):
        return SampleFindings(samples=values)
    slope, intercept = header.rescale
    hu = values.astype(float) * slope + intercept
    found = measure_range(samples, header)
    if (is_high := hu > HIGHEST_HU).any():
        signed = values[is_high].view(f"i{values.itemsize}").astype(float) * slope + intercept
        is_negative = bool(signed.min() >= LOWEST_UNSTATED_HU and signed.max() < 0)
        is_negative = is_negative and header.pixel_representation == 0
        return SampleFindings(
            impossible_hu=float(hu.max()), is_negative=is_negative, hounsfield=found
        )
    return SampleFindings(hounsfield=found, samples=values)
