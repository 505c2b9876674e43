"""Stated bits: compare samples with the bits and the sign that their header states.

A header may state fewer bits than the values have, or no sign where they have one. What the samples
show beyond doubt is read so, with a note; what is doubtful is read as stated, with a note. Samples
are looked at of at most `MOST_SLICES` slices, so that a verdict stays quick; the rest is looked at
when the volume is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom.uid import RLELossless

from medseg.base.text import count_noun
from medseg.ingest.dicom.header.slice import Slice, name_some
from medseg.ingest.dicom.pixels.rescale import HIGHEST_HU
from medseg.ingest.dicom.sample_checks.hounsfield_range import (
    LOWEST_AIR_HU,
    describe_unlikely,
    has_too_low,
    is_hounsfield,
)
from medseg.ingest.dicom.sample_checks.negative_values import describe_too_negative
from medseg.ingest.dicom.sample_checks.rescale_jumps import add_rescale_notes
from medseg.ingest.dicom.sample_checks.sample_findings import SampleFindings, find_in_samples
from medseg.ingest.dicom.sample_checks.strips import read_whole_planes
from medseg.ingest.dicom.sample_checks.swapped_slices import unify_byte_order
from medseg.ingest.reasons import IngestError, Reason

MOST_SLICES = 16
"""At most this many slices are looked at, evenly over the series."""

MOST_COMPRESSED = 3
"""At most this many of a compressed series, whose samples must be decoded."""

_HAVE_SIGN = "the header calls samples unsigned, but they are signed"
_HAVE_NO_SIGN = "the header calls samples signed, but they are unsigned"
_FEW_BITS = 8  # all values of which may occur

_LEAST_HOLE, _MOST_BEYOND, _LEAST_IN_GROUP = 2**14, 2**8, 4
"""The gap that lies between high values and the others; how near values must come to the end of
their type, or to each other beyond it; and how many distinct high values there must be."""

_MOST_NEGATIVE = 2**13
"""Negative values of MR and PET that lost their sign lie this near to the end of their type."""


@dataclass(frozen=True)
class _Conclusion:
    """What to note, and how to read samples where not as stated; `sign` is 0 or 1."""

    reason: Reason
    finding: str
    is_whole: bool = False
    sign: int | None = None
    is_swapped: bool = False


def correct_samples(slices: Sequence[Slice]) -> list[Slice]:
    """Correct the bits and the sign of slices by their samples, and note what contradicts them.

    Args:
        slices: those of one series, which passed the slice rules, along their normal.

    Returns:
        The same slices in the same order, with `sample_notes` where there is something to say.

    Raises:
        IngestError: "conflicting-rescale", see `check_mapped_range`.

    Example:
        >>> correct_samples(headers)[0].pixel_representation  # stated as 0  # doctest: +SKIP
        1
    """
    found = add_rescale_notes(unify_byte_order(slices))
    usual_bits = Counter(s.bits_stored for s in found).most_common(1)[0][0] if found else 0
    alike: dict[tuple[int, int, int], list[int]] = {}
    for k, header in enumerate(found):
        stated = (header.bits_stored, header.high_bit, header.pixel_representation)
        alike.setdefault(stated, []).append(k)
    for places in alike.values():
        conclusion = _judge_alike([found[k] for k in places], usual_bits)
        if conclusion is None:
            continue
        if len(places) < len(found):
            finding = f"{conclusion.finding}, in {name_some(found, places)}"
            conclusion = replace(conclusion, finding=finding)
        for k in places:
            found[k] = _correct(found[k], conclusion)
    return found


def _judge_alike(slices: Sequence[Slice], usual_bits: int) -> _Conclusion | None:
    """Look at the samples of slices that state the same bits and sign."""
    suspects = [s for s in slices if _may_contradict(s)]
    if not suspects:
        return None
    is_compressed = any(s.transfer_syntax.is_encapsulated for s in suspects)
    most = MOST_COMPRESSED if is_compressed else MOST_SLICES
    places = np.linspace(0, len(suspects) - 1, min(most, len(suspects))).round().astype(int)
    planes = _read_planes([suspects[k] for k in places])
    seen = [find_in_samples(header, plane) for header, plane in planes]
    return _conclude(suspects[0], seen, usual_bits)


def _correct(header: Slice, found: _Conclusion) -> Slice:
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
    """Whether samples can hold more than is stated, or values that no image of their kind has."""
    is_wide = header.bits_stored < header.bits_allocated
    return header.bits_allocated > _FEW_BITS or is_wide or header.is_real_world


def _read_planes(slices: Sequence[Slice]) -> list[tuple[Slice, np.ndarray]]:
    """Read samples with all their bits; none if one cannot be decoded, which is reported later."""
    found: list[tuple[Slice, np.ndarray]] = []
    try:
        found.extend((slices[k], plane) for k, plane in read_whole_planes(slices))
    except IngestError:
        return []
    return found


def _is_wrapped(values: np.ndarray, header: Slice) -> bool:
    """Whether the lowest values continue the highest ones, as CT values that were wrapped do."""
    if values.dtype.kind != "i" or values.min() >= 0 or values.max() < 0:
        return False
    slope, intercept = header.rescale
    unsigned = values.view(f"u{values.itemsize}").astype(float)
    hole = float(np.diff(np.unique(values).astype(float)).max())
    beyond = 2.0 ** (8 * values.itemsize) - float(values.max()) + float(values.min())
    hu = unsigned * slope + intercept
    is_hu = hu.min() >= LOWEST_AIR_HU and hu.max() <= HIGHEST_HU
    return bool(is_hu and hole >= _LEAST_HOLE and beyond <= _MOST_BEYOND)


def _collect_samples(seen: Sequence[SampleFindings]) -> np.ndarray:
    """Collect the distinct samples of all slices, in ascending order."""
    samples = [one.samples for one in seen if one.samples.size]
    return np.unique(np.concatenate(samples)) if samples else np.zeros(0)


def _find_high_group(values: np.ndarray) -> tuple[int, int] | None:
    """Find the ends of a group of values near the highest of 16 bits and far above all others."""
    if values.dtype != np.uint16 or values.size < 2 or int(values[-1]) < 2**16 - _MOST_NEGATIVE:
        return None
    if int(values[0]) >= 2**16 - _MOST_NEGATIVE:
        return int(values[0]), int(values[-1])
    gaps = np.diff(values.astype(np.int64))
    at = int(gaps.argmax())
    is_group = gaps[at] >= _LEAST_HOLE and values.size - at - 1 >= _LEAST_IN_GROUP
    return (int(values[at + 1]), int(values[-1])) if is_group else None


def _conclude(header: Slice, seen: Sequence[SampleFindings], usual_bits: int) -> _Conclusion | None:
    """Conclude how to read samples and what to note; None where all fits."""
    of_image = [one for one in seen if not one.is_blank]
    if of_image and all(one.is_swapped for one in of_image):
        finding = "the two bytes of samples are in the other order than the transfer syntax says"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, is_swapped=True)
    if any(one.high_as_low for one in seen):
        return _conclude_high(seen)
    if any(one.impossible_hu for one in seen):
        return _conclude_impossible([one for one in seen if one.impossible_hu])
    if any(one.surplus for one in seen):
        return _conclude_surplus(header, [one for one in seen if one.surplus], usual_bits)
    if header.rescaled_kind == "CT" and any(one.is_padded for one in seen):
        finding = f"padding needs more bits, BitsStored is {header.bits_stored}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, is_whole=True)
    if not is_hounsfield(header):
        finding = _describe_wrong_sign(_collect_samples(seen), header)
        return _Conclusion(Reason.UNLIKELY_VALUES, finding) if finding else None
    return _conclude_hounsfield(header, seen)


def _describe_wrong_sign(values: np.ndarray, header: Slice) -> str:
    """Describe values of MR and PET that seem to have the wrong sign; "" where none do."""
    if group := _find_high_group(values):
        span = f"values from {group[0]} to {group[1]}"
        return f"{span} may be negative: the header calls samples unsigned"
    return describe_too_negative(values, header)


def _conclude_high(seen: Sequence[SampleFindings]) -> _Conclusion:
    """Conclude on bone that would be lower than air with the sign that is stated."""
    lowest = f"values down to {min(one.high_as_low for one in seen):g} HU"
    if any(one.has_negative for one in seen):
        return _Conclusion(
            Reason.UNLIKELY_VALUES,
            f"{lowest} may really be high values: the samples may be unsigned",
        )
    finding = f"{lowest} are really high values: {_HAVE_NO_SIGN}"
    return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=0)


def _conclude_surplus(
    header: Slice, surplus: Sequence[SampleFindings], usual_bits: int
) -> _Conclusion:
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
    count = count_noun(sum(one.surplus for one in surplus), "voxel")
    finding = f"{count} of {count_noun(len(surplus), 'slice')} hold more bits, {bits}"
    return _Conclusion(Reason.UNLIKELY_VALUES, f"{finding} and no overlay is stated")


def _conclude_impossible(impossible: Sequence[SampleFindings]) -> _Conclusion:
    highest = f"values up to {max(one.impossible_hu for one in impossible):g} HU"
    if all(one.is_negative for one in impossible):
        finding = f"{highest} are really negative: {_HAVE_SIGN}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=1)
    return _Conclusion(Reason.UNLIKELY_VALUES, f"{highest}, which CT never has")


def _conclude_hounsfield(header: Slice, seen: Sequence[SampleFindings]) -> _Conclusion | None:
    ranges = [one.hounsfield for one in seen]
    if has_too_low(ranges) and _is_wrapped(np.concatenate([one.samples for one in seen]), header):
        lowest = min(found.lowest for found in ranges)
        finding = f"values down to {lowest:g} HU are really high values: {_HAVE_NO_SIGN}"
        return _Conclusion(Reason.CORRECTED_SAMPLES, finding, sign=0)
    finding = describe_unlikely(ranges)
    return _Conclusion(Reason.UNLIKELY_VALUES, finding) if finding else None
