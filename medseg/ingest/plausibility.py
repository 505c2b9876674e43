"""Plausibility: compare samples with the bits and the sign that their header states.

A header may state fewer bits than the values have, or no sign where they have one. What the samples
show beyond doubt is read so, with a note; what is doubtful is read as stated, with a note. Samples
are looked at only where the header leaves room for such a fault, and of at most `MOST_SLICES`
slices, so that a verdict stays quick; the rest is looked at when the volume is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom.uid import RLELossless

from medseg.counted import counted
from medseg.ingest.pixels import stored_planes
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.slice import Slice
from medseg.ingest.unused_bits import HIGHEST_HU, surplus_of, without_unused_bits

MOST_SLICES = 16
"""So many slices are looked at, evenly over the series."""

MOST_COMPRESSED = 2
"""Of a compressed series, whose samples must be decoded."""

LOWEST_HU = -1024.0
"""No CT value is lower, but for padding: air is -1000 HU."""

LOWEST_UNSTATED_HU = -8192.0
"""Padding that no header states goes down to here: the lowest value of an extended CT scale."""

_HAVE_SIGN = "samples have a sign, which is stated as none"
_MOST_BITS = 16  # 32 are for what is no CT, and are read as stated


@dataclass(frozen=True)
class _Seen:
    """What one slice shows.

    Attributes:
        surplus: samples with bits above BitsStored that neither sign, padding nor overlay explains.
        is_padded: whether samples are padding that BitsStored cannot hold.
        is_signed: whether all of the surplus is what the sign of lower bits would write.
        is_wide: whether the surplus makes CT values of what would be below `LOWEST_HU` without.
        impossible_hu: the highest CT value, where it is above `HIGHEST_HU`; else 0.
        is_negative: whether all such values are negative ones that CT has, once the sign is read.
    """

    surplus: int = 0
    is_padded: bool = False
    is_signed: bool = False
    is_wide: bool = False
    impossible_hu: float = 0.0
    is_negative: bool = False


@dataclass(frozen=True)
class _Conclusion:
    """What is to be said, and whether samples have all their bits, and a sign."""

    reason: Reason
    finding: str
    is_whole: bool = False
    is_signed: bool = False


def examine(slices: Sequence[Slice]) -> list[Slice]:
    """Give slices the bits and the sign that their samples show, and say what contradicts them.

    Args:
        slices: those of one series, which passed the slice rules, in any order.

    Returns:
        The same slices in the same order, each with `sample_note`, where there is something to say.

    Example:
        >>> examine(headers)[0].pixel_representation  # stated as 0  # doctest: +SKIP
        1
    """
    suspects = [s for s in slices if _may_contradict(s)]
    if not suspects:
        return list(slices)
    is_compressed = any(s.transfer_syntax.is_encapsulated for s in suspects)
    most = MOST_COMPRESSED if is_compressed else MOST_SLICES
    places = np.linspace(0, len(suspects) - 1, min(most, len(suspects))).round().astype(int)
    seen = [_seen(header, plane) for header, plane in _whole_planes([suspects[k] for k in places])]
    found = _conclusion(suspects[0], seen)
    if found is None:
        return list(slices)
    return [_corrected(s, found) for s in slices]


def _corrected(header: Slice, found: _Conclusion) -> Slice:
    bits = header.bits_allocated if found.is_whole else header.bits_stored
    return replace(
        header,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=1 if found.is_signed else header.pixel_representation,
        sample_note=(found.reason, found.finding),
    )


def _may_contradict(header: Slice) -> bool:
    """Whether samples can hold more than what is stated, or more than any CT has."""
    if header.transfer_syntax.is_encapsulated and header.transfer_syntax != RLELossless:
        return _may_be_impossible(header)  # other codestreams state their bits themselves
    return header.bits_stored < header.bits_allocated or _may_be_impossible(header)


def _may_be_impossible(header: Slice) -> bool:
    if header.bits_allocated > _MOST_BITS or header.rescale_type not in ("", "HU"):
        return False
    slope, intercept = header.rescale
    highest = (2.0**header.bits_allocated - 1) * slope + intercept
    return header.kind == "CT" and header.pixel_representation == 0 and highest > HIGHEST_HU


def _whole_planes(slices: Sequence[Slice]) -> list[tuple[Slice, np.ndarray]]:
    """Samples with all their bits; none of what cannot be decoded, whoever reads it says why."""
    wholes = [replace(s, bits_stored=s.bits_allocated) for s in slices]
    found: list[tuple[Slice, np.ndarray]] = []
    try:
        found.extend((slices[k], plane) for k, plane in stored_planes(wholes))
    except IngestError:
        return []
    return found


def _seen(header: Slice, plane: np.ndarray) -> _Seen:
    masks = surplus_of(plane, header)
    if masks is None:
        return _seen_impossible(header, plane)
    surplus, padded = masks
    slope, intercept = header.rescale
    whole = plane[surplus]
    cut = without_unused_bits(whole.copy(), header)
    signed = whole.view(f"i{whole.itemsize}")
    extended = without_unused_bits(signed.copy(), header)
    lows, highs = (values.astype(float) * slope + intercept for values in (cut, whole))
    is_wide = header.kind == "CT" and whole.size > 0
    return _Seen(
        surplus=int(surplus.sum()),
        is_padded=bool(padded.any()),
        is_signed=whole.size > 0
        and header.pixel_representation == 0
        and bool((signed == extended).all()),
        is_wide=is_wide and bool((lows < LOWEST_HU).all() and _are_hu(highs)),
    )


def _are_hu(values: np.ndarray) -> bool:
    return bool(values.min() >= LOWEST_HU and values.max() <= HIGHEST_HU)


def _seen_impossible(header: Slice, plane: np.ndarray) -> _Seen:
    """Values that CT never has, of samples without a sign."""
    slope, intercept = header.rescale
    if not _may_be_impossible(header) or float(plane.max()) * slope + intercept <= HIGHEST_HU:
        return _Seen()
    values = plane.astype(float) * slope + intercept
    is_high = values > HIGHEST_HU
    if header.padding is not None:
        low, high = np.array(header.padding).astype(plane.dtype)
        is_high &= ~((plane >= low) & (plane <= high))
    if not is_high.any():
        return _Seen()
    signed = plane[is_high].view(f"i{plane.itemsize}").astype(float) * slope + intercept
    is_negative = bool(signed.min() >= LOWEST_UNSTATED_HU and signed.max() < 0)
    return _Seen(impossible_hu=float(values[is_high].max()), is_negative=is_negative)


def _conclusion(header: Slice, seen: Sequence[_Seen]) -> _Conclusion | None:
    """What to read samples as, and what to say; None where all fits."""
    impossible = [one for one in seen if one.impossible_hu]
    if impossible:
        return _of_impossible(impossible)
    surplus = [one for one in seen if one.surplus]
    corrected, bits = Reason.CORRECTED_SAMPLES, f"BitsStored is {header.bits_stored}"
    if surplus and header.kind == "CT" and all(one.is_signed for one in surplus):
        return _Conclusion(corrected, _HAVE_SIGN, is_whole=True, is_signed=True)
    if surplus and all(one.is_wide for one in surplus):
        finding = f"values have all {header.bits_allocated} bits, {bits}"
        return _Conclusion(corrected, finding, is_whole=True)
    if surplus:
        count = counted(sum(one.surplus for one in surplus), "voxel")
        finding = f"{count} of {counted(len(surplus), 'slice')} hold more bits, {bits}"
        return _Conclusion(Reason.UNLIKELY_VALUES, f"{finding} and no overlay is stated")
    if header.kind == "CT" and any(one.is_padded for one in seen):
        return _Conclusion(corrected, f"padding needs more bits, {bits}", is_whole=True)
    return None


def _of_impossible(impossible: Sequence[_Seen]) -> _Conclusion:
    highest = f"values up to {max(one.impossible_hu for one in impossible):g} HU"
    if all(one.is_negative for one in impossible):
        finding = f"{highest} are negative ones: {_HAVE_SIGN}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, is_signed=True)
    return _Conclusion(Reason.UNLIKELY_VALUES, f"{highest}, which CT never has")
