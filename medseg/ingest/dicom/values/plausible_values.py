"""Plausibility: compare samples with the bits and the sign that their header states.

A header may state fewer bits than the values have, or no sign where they have one. What the samples
show beyond doubt is read so, with a note; what is doubtful is read as stated, with a note. Samples
are looked at of at most `MOST_SLICES` slices, so that a verdict stays quick; the rest is looked at
when the volume is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.uid import RLELossless

from medseg.base.text import counted
from medseg.ingest.dicom.header.slice import Slice, some_of
from medseg.ingest.dicom.pixels.histogram import Histogram, histogram_of
from medseg.ingest.dicom.pixels.read import check_mapped
from medseg.ingest.dicom.pixels.unused_bits import HIGHEST_HU, surplus_of, without_unused_bits
from medseg.ingest.dicom.values.byte_order import are_swapped, swapped
from medseg.ingest.dicom.values.hounsfield_range import (
    LOWEST_AIR_HU,
    HounsfieldRange,
    has_too_low,
    is_hounsfield,
    is_unlikely,
    range_of,
    what_is_unlikely,
    without_padding,
)
from medseg.ingest.dicom.values.negative_values import what_is_too_negative
from medseg.ingest.dicom.values.rescale_jumps import with_rescale_notes
from medseg.ingest.dicom.values.strips import whole_planes
from medseg.ingest.dicom.values.swapped_slices import in_one_order
from medseg.ingest.reasons import IngestError, Reason

MOST_SLICES = 16
"""So many slices are looked at, evenly over the series."""

MOST_COMPRESSED = 3
"""Of a compressed series, whose samples must be decoded."""

LOWEST_HU = -1024.0
"""No CT value is lower, but for padding: air is -1000 HU."""

LOWEST_UNSTATED_HU = -8192.0
"""Padding that no header states goes down to here: the lowest value of an extended CT scale."""

_HAVE_SIGN = "samples have a sign, which is stated as none"
_FEW_BITS = 8  # all values of which may occur

_LEAST_HOLE, _MOST_BEYOND, _LEAST_IN_GROUP = 2**14, 2**8, 4
"""Between high values and the others lies such a hole, and there are so many distinct ones. So near
must values come to the end of their type, or to each other beyond it."""

_MOST_NEGATIVE = 2**13
"""So near to the end of their type lie negative values of MR and PET without their sign."""


_LEAST_BONE = 3
"""So many distinct values that are bone without a sign are no padding that no header states."""


@dataclass(frozen=True)
class _Seen:
    """What one slice shows.

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


@dataclass(frozen=True)
class _Conclusion:
    """What is to be said, and how samples are to be read where not as stated: `sign` is 0 or 1."""

    reason: Reason
    finding: str
    is_whole: bool = False
    sign: int | None = None
    is_swapped: bool = False


def examine(slices: Sequence[Slice]) -> list[Slice]:
    """Give slices the bits and the sign that their samples show, and say what contradicts them.

    Args:
        slices: those of one series, which passed the slice rules, along their normal.

    Returns:
        The same slices in the same order, with `sample_notes` where there is something to say.

    Raises:
        IngestError: "conflicting-rescale", see `check_mapped`.

    Example:
        >>> examine(headers)[0].pixel_representation  # stated as 0  # doctest: +SKIP
        1
    """
    found = with_rescale_notes(in_one_order(slices))
    usual_bits = Counter(s.bits_stored for s in found).most_common(1)[0][0] if found else 0
    alike: dict[tuple[int, int, int], list[int]] = {}
    for k, header in enumerate(found):
        stated = (header.bits_stored, header.high_bit, header.pixel_representation)
        alike.setdefault(stated, []).append(k)
    for places in alike.values():
        conclusion = _of_alike([found[k] for k in places], usual_bits)
        if conclusion is None:
            continue
        if len(places) < len(found):
            finding = f"{conclusion.finding}, in {some_of(found, places)}"
            conclusion = replace(conclusion, finding=finding)
        for k in places:
            found[k] = _corrected(found[k], conclusion)
    return found


def _of_alike(slices: Sequence[Slice], usual_bits: int) -> _Conclusion | None:
    """What samples show of slices that state the same bits and sign."""
    suspects = [s for s in slices if _may_contradict(s)]
    if not suspects:
        return None
    is_compressed = any(s.transfer_syntax.is_encapsulated for s in suspects)
    most = MOST_COMPRESSED if is_compressed else MOST_SLICES
    places = np.linspace(0, len(suspects) - 1, min(most, len(suspects))).round().astype(int)
    seen = [_seen(header, plane) for header, plane in _whole_planes([suspects[k] for k in places])]
    return _conclusion(suspects[0], seen, usual_bits)


def _corrected(header: Slice, found: _Conclusion) -> Slice:
    bits = header.bits_allocated if found.is_whole else header.bits_stored
    return replace(
        header,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=header.pixel_representation if found.sign is None else found.sign,
        is_swapped=header.is_swapped or found.is_swapped,
        sample_notes=(*header.sample_notes, (found.reason, found.finding)),
    )


def _may_contradict(header: Slice) -> bool:
    """Whether samples can hold more than what is stated, or what no image of their kind has."""
    is_wide = header.bits_stored < header.bits_allocated
    return header.bits_allocated > _FEW_BITS or is_wide or header.is_real_world


def _whole_planes(slices: Sequence[Slice]) -> list[tuple[Slice, np.ndarray]]:
    """Samples with all their bits; none of what cannot be decoded, whoever reads it says why."""
    found: list[tuple[Slice, np.ndarray]] = []
    try:
        found.extend((slices[k], plane) for k, plane in whole_planes(slices))
    except IngestError:
        return []
    return found


def _seen(header: Slice, plane: np.ndarray) -> _Seen:
    samples = histogram_of(plane)
    check_mapped(without_unused_bits(samples.values.copy(), header), header)
    if samples.values.size < 2:
        return replace(_seen_in(header, samples), is_blank=True)
    if header.transfer_syntax.is_encapsulated or not are_swapped(plane, samples, header):
        return _seen_in(header, samples)
    if is_hounsfield(header) and is_unlikely(swapped(samples), header):
        return _seen_in(header, samples)
    return _Seen(is_swapped=True)


def _seen_in(header: Slice, samples: Histogram) -> _Seen:
    has_negative, high_as_low = _negative_hu(samples, header)
    if high_as_low:
        return _Seen(high_as_low=high_as_low)
    return replace(_seen_of_sign(header, samples), has_negative=has_negative)


def _negative_hu(samples: Histogram, header: Slice) -> tuple[bool, float]:
    """`_Seen.has_negative` and `_Seen.high_as_low` of a codestream that states no sign."""
    if not header.is_sign_unknown or not is_hounsfield(header):
        return False, 0.0
    values = without_unused_bits(without_padding(samples, header).values.copy(), header)
    negative = np.unique(values[values < 0]).astype(float)
    slope, intercept = header.rescale
    low = negative * slope + intercept
    if (low >= LOWEST_HU).any():
        return True, 0.0
    is_bone = negative.size >= _LEAST_BONE and _are_hu(low + slope * 2.0**header.bits_stored)
    return False, float(low.min()) if is_bone else 0.0


def _seen_of_sign(header: Slice, samples: Histogram) -> _Seen:
    """What samples show of bits and values, where their sign is as stated."""
    masks = surplus_of(samples.values, header)
    if masks is None or not masks[0].any():
        found = _seen_impossible(header, _as_read(samples, header, masks))
        return replace(found, is_padded=masks is not None and bool(masks[1].any()))
    surplus, padded = masks
    if _is_twos_complement(samples.values[surplus], header):
        return _Seen(is_padded=bool(padded.any()))
    slope, intercept = header.rescale
    whole = samples.values[surplus]
    cut = without_unused_bits(whole.copy(), header)
    signed = whole.view(f"i{whole.itemsize}")
    extended = without_unused_bits(signed.copy(), header)
    lows, highs = (values.astype(float) * slope + intercept for values in (cut, whole))
    return _Seen(
        surplus=int(samples.counts[surplus].sum()),
        bits=_bits_of(whole),
        is_padded=bool(padded.any()),
        is_signed=header.pixel_representation == 0 and bool((signed == extended).all()),
        is_wide=header.kind == "CT" and bool((lows < LOWEST_HU).all() and _are_hu(highs)),
    )


def _as_read(
    samples: Histogram, header: Slice, masks: tuple[np.ndarray, np.ndarray] | None
) -> Histogram:
    """Samples without what lies above BitsStored, an overlay or padding."""
    if masks is None:
        return samples
    values = without_unused_bits(samples.values[~masks[1]].copy(), header)
    order = np.argsort(values, kind="stable")
    return Histogram(values[order], samples.counts[~masks[1]][order])


def _is_twos_complement(surplus: np.ndarray, header: Slice) -> bool:
    """Whether a codestream without a sign has negative samples in BitsStored, as it may."""
    is_compressed = header.transfer_syntax.is_encapsulated
    if not is_compressed or header.transfer_syntax == RLELossless:
        return False
    is_within = surplus.min() >= 0 and int(surplus.max()) < 2**header.bits_stored
    return header.pixel_representation == 1 and bool(is_within)


def _bits_of(values: np.ndarray) -> int:
    """How many bits hold values, one of them the sign where their type has one."""
    lowest, highest = int(values.min()), int(values.max())
    return max(highest, -lowest - 1).bit_length() + (values.dtype.kind == "i")


def _are_hu(values: np.ndarray) -> bool:
    return bool(values.min() >= LOWEST_HU and values.max() <= HIGHEST_HU)


def _seen_impossible(header: Slice, samples: Histogram) -> _Seen:
    """Values that CT never has, and in others what looks like negative ones without a sign."""
    samples = without_padding(samples, header)
    values = samples.values
    if not values.size:
        return _Seen()
    if not is_hounsfield(header):
        return _Seen(samples=values)
    slope, intercept = header.rescale
    hu = values.astype(float) * slope + intercept
    found = range_of(samples, header)
    if (is_high := hu > HIGHEST_HU).any():
        signed = values[is_high].view(f"i{values.itemsize}").astype(float) * slope + intercept
        is_negative = bool(signed.min() >= LOWEST_UNSTATED_HU and signed.max() < 0)
        is_negative = is_negative and header.pixel_representation == 0
        return _Seen(impossible_hu=float(hu.max()), is_negative=is_negative, hounsfield=found)
    return _Seen(hounsfield=found, samples=values)


def _is_wrapped(values: np.ndarray, header: Slice) -> bool:
    """Whether values go on from the highest to the lowest, with a hole between, and are CT so."""
    if values.dtype.kind != "i" or values.min() >= 0 or values.max() < 0:
        return False
    slope, intercept = header.rescale
    unsigned = values.view(f"u{values.itemsize}").astype(float)
    hole = float(np.diff(np.unique(values).astype(float)).max())
    beyond = 2.0 ** (8 * values.itemsize) - float(values.max()) + float(values.min())
    hu = unsigned * slope + intercept
    is_hu = hu.min() >= LOWEST_AIR_HU and hu.max() <= HIGHEST_HU
    return bool(is_hu and hole >= _LEAST_HOLE and beyond <= _MOST_BEYOND)


def _all_samples(seen: Sequence[_Seen]) -> np.ndarray:
    """The distinct samples of all slices, in ascending order."""
    samples = [one.samples for one in seen if one.samples.size]
    return np.unique(np.concatenate(samples)) if samples else np.zeros(0)


def _high_group(values: np.ndarray) -> tuple[int, int] | None:
    """The ends of values near the highest that 16 bits have, far above all others."""
    if values.dtype != np.uint16 or values.size < 2 or int(values[-1]) < 2**16 - _MOST_NEGATIVE:
        return None
    if int(values[0]) >= 2**16 - _MOST_NEGATIVE:
        return int(values[0]), int(values[-1])
    gaps = np.diff(values.astype(np.int64))
    at = int(gaps.argmax())
    is_group = gaps[at] >= _LEAST_HOLE and values.size - at - 1 >= _LEAST_IN_GROUP
    return (int(values[at + 1]), int(values[-1])) if is_group else None


def _conclusion(header: Slice, seen: Sequence[_Seen], usual_bits: int) -> _Conclusion | None:
    """What to read samples as, and what to say; None where all fits."""
    of_image = [one for one in seen if not one.is_blank]
    if of_image and all(one.is_swapped for one in of_image):
        finding = "the two bytes of samples are in the other order than the transfer syntax says"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, is_swapped=True)
    if any(one.high_as_low for one in seen):
        return _of_high(seen)
    if any(one.impossible_hu for one in seen):
        return _of_impossible([one for one in seen if one.impossible_hu])
    if any(one.surplus for one in seen):
        return _of_surplus(header, [one for one in seen if one.surplus], usual_bits)
    if header.rescaled_kind == "CT" and any(one.is_padded for one in seen):
        finding = f"padding needs more bits, BitsStored is {header.bits_stored}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, is_whole=True)
    if not is_hounsfield(header):
        finding = _what_the_sign_made(_all_samples(seen), header)
        return _Conclusion(Reason.UNLIKELY_VALUES, finding) if finding else None
    return _of_hounsfield(header, seen)


def _what_the_sign_made(values: np.ndarray, header: Slice) -> str:
    """Which values of MR and PET are of the other sign, it seems; "" where none are."""
    if group := _high_group(values):
        return f"values from {group[0]} to {group[1]} may be negative ones: no sign is stated"
    return what_is_too_negative(values, header)


def _of_high(seen: Sequence[_Seen]) -> _Conclusion:
    """Bone that would be lower than air with the sign that is stated."""
    lowest = f"values down to {min(one.high_as_low for one in seen):g} HU"
    if any(one.has_negative for one in seen):
        return _Conclusion(Reason.UNLIKELY_VALUES, f"{lowest} may be high ones without a sign")
    finding = f"{lowest} are high ones: a sign is stated, and there is none"
    return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=0)


def _of_surplus(header: Slice, surplus: Sequence[_Seen], usual_bits: int) -> _Conclusion:
    corrected, bits = Reason.CORRECTED_SAMPLES, f"BitsStored is {header.bits_stored}"
    is_codestream = header.transfer_syntax.is_encapsulated
    if is_codestream and header.transfer_syntax != RLELossless and not header.is_lossy:
        finding = f"compressed values have more bits, {bits}"
        return _Conclusion(corrected, finding, is_whole=True)
    if header.kind == "CT" and all(one.is_signed for one in surplus):
        return _Conclusion(corrected, _HAVE_SIGN, is_whole=True, sign=1)
    if max(one.bits for one in surplus) <= usual_bits:
        finding = f"values have the {usual_bits} bits of most slices, {bits}"
        return _Conclusion(corrected, finding, is_whole=True)
    if all(one.is_wide for one in surplus):
        finding = f"values have all {header.bits_allocated} bits, {bits}"
        return _Conclusion(corrected, finding, is_whole=True)
    count = counted(sum(one.surplus for one in surplus), "voxel")
    finding = f"{count} of {counted(len(surplus), 'slice')} hold more bits, {bits}"
    return _Conclusion(Reason.UNLIKELY_VALUES, f"{finding} and no overlay is stated")


def _of_impossible(impossible: Sequence[_Seen]) -> _Conclusion:
    highest = f"values up to {max(one.impossible_hu for one in impossible):g} HU"
    if all(one.is_negative for one in impossible):
        finding = f"{highest} are negative ones: {_HAVE_SIGN}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=1)
    return _Conclusion(Reason.UNLIKELY_VALUES, f"{highest}, which CT never has")


def _of_hounsfield(header: Slice, seen: Sequence[_Seen]) -> _Conclusion | None:
    ranges = [one.hounsfield for one in seen]
    if has_too_low(ranges) and _is_wrapped(np.concatenate([one.samples for one in seen]), header):
        lowest = min(found.lowest for found in ranges)
        finding = f"values down to {lowest:g} HU are high ones: a sign is stated, and there is none"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=0)
    finding = what_is_unlikely(ranges)
    return _Conclusion(Reason.UNLIKELY_VALUES, finding) if finding else None
