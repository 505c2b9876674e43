"""Consistency: find signs that slices under one UID are of several patients, scans or quantities.

If some slices leave an element out, they do not contradict the others: values and places stay the
same. Elements that vary within one good volume never refuse it: times of acquisition, trigger
times, tube current, words of processing in ImageType. Times are named where slices of one place
differ in them. Elements that alternate in overlapping slices are compared in
`medseg.ingest.dicom.consistency.alternating`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from medseg.ingest.dicom.consistency.alternating import describe_alternating, describe_left_out
from medseg.ingest.dicom.consistency.kinds import (
    MOST_LISTED,
    group_values,
    list_differences,
    parse_number,
    read_column,
)
from medseg.ingest.dicom.consistency.quantity import find_quantity
from medseg.ingest.dicom.consistency.traits import (
    ACQUISITION,
    ACQUISITION_TIME,
    MAY_INTERLEAVE_AT_EDGES,
    MUST_NOT_ALTERNATE,
    SAME_AT_ONE_PLACE,
    SAME_IN_ONE_VOLUME,
    TIME_TRAITS,
    TIMES_OF_PACKAGES,
    Trait,
)
from medseg.ingest.dicom.consistency.turns import (
    LEAST_STEPS_OF_TWO,
    are_alternating,
    are_interleaved,
    are_interleaved_counts,
    are_overlapping,
    count_blocks,
    is_monotone,
    is_zigzag,
    may_be_packages,
)
from medseg.ingest.dicom.header.slice import Slice

MOSTLY_DOUBLED = 0.5
"""In two interleaved volumes at least this fraction of the places in a stack occurs twice."""


def describe_mixed_patient(slices: Sequence[Slice]) -> str:
    """Find two values of PatientID, PatientBirthDate or PatientSex (PS3.3 C.7.1.1).

    They are counted and never shown. Each may be left empty in some of the slices.
    """
    origins = [s.origin for s in slices]
    return (
        _count_values((o.patient for o in origins if o.patient), "patients")
        or _count_values((o.birth_date for o in origins if o.birth_date), "birth dates")
        or _count_values((o.sex for o in origins if o.sex), "sexes")
    )


def describe_mixed_study(slices: Sequence[Slice]) -> str:
    """Find two StudyInstanceUIDs: a series is of one study (PS3.3 A.1.2.3)."""
    if is_uid_per_file((s.path, s.origin.study) for s in slices):
        return ""
    return _count_values((s.origin.study for s in slices if s.origin.study), "studies")


def is_uid_per_file(stated: Iterable[tuple[Path, str]]) -> bool:
    """Whether each of three or more files states another UID, for instance of its study.

    ITK makes up such a UID for each file that it writes if none is set, and so do anonymisers.
    Slices that were written one by one then differ in it, which means nothing.
    """
    pairs = set(stated)
    return 3 <= len(pairs) == len({path for path, _ in pairs}) == len({uid for _, uid in pairs})


def describe_mixed_kernel(slices: Sequence[Slice]) -> str:
    """Find two values of ConvolutionKernel (PS3.3 C.8.2.1): their images differ in sharpness."""
    kernels = (s.origin.kernel.replace("\\", " ") for s in slices)
    return _list_values(filter(None, kernels), "convolution kernels")


def describe_mixed_quantity(slices: Sequence[Slice]) -> str:
    """Find slices whose values mean different things, as far as stated; see `find_quantity`."""
    stated = (s for s in slices if any(s.image_type) or s.origin.component)
    return _list_values(map(find_quantity, stated), "quantities")


def describe_mixed_acquisition(slices: Sequence[Slice]) -> str:
    """Find slices, one at each place, of several echoes, b-values, times, voltages or series.

    For CT, also slices whose AcquisitionNumbers alternate along the normal, such as two phases at
    half a spacing. Numbers that come in blocks are one scan, rotation after rotation; at their
    edges two rotations may interleave. Thickness, contrast agent, filter and the position of the
    patient are treated in the same way, where each value returns again and again.

    Where slices overlap, see `are_overlapping`, smaller differences of repetition and inversion
    time and trigger times count too, and anything else that alternates in a strict order. Slices
    that agree in all of this stay one volume: a scan and a copy of it, moved by half a step, have
    the headers of one scan of half the spacing.

    Args:
        slices: sorted along their normal.
    """
    if found := list_differences(slices, SAME_IN_ONE_VOLUME, is_absence_one=False):
        return found
    turning = [trait for trait in MUST_NOT_ALTERNATE if _is_alternating(slices, trait)]
    turning += _find_turning_times(slices)
    scans = [s for s in slices if s.kind == "CT" and s.origin.acquisition]
    numbers = read_column([s.origin.acquisition for s in scans], ACQUISITION)
    if are_interleaved(numbers):
        turning.append(ACQUISITION)
    if turning:
        return f"{list_differences(slices, turning)} that alternate along the normal"
    return (
        _describe_doubled_places(slices)
        or _describe_places_by_turns(slices)
        or _describe_turning_dimension(slices)
        or describe_alternating(slices)
        or describe_left_out(slices)
    )


def _find_turning_times(slices: Sequence[Slice]) -> list[Trait]:
    """Find times that jump to and fro between two volumes with overlapping slices."""
    ignored = TIMES_OF_PACKAGES if may_be_packages(slices) else ()
    times = [trait for trait in TIME_TRAITS if trait.field not in ignored]
    turning = []
    if ACQUISITION_TIME.field not in ignored and are_overlapping(slices, where_unstated=False):
        turning += [ACQUISITION_TIME] if _is_zigzag_in(slices, ACQUISITION_TIME) else []
    if are_overlapping(slices, where_unstated=True):
        turning += [trait for trait in times if _is_zigzag_in(slices, trait)]
    if are_overlapping(slices, where_unstated=True, steps=LEAST_STEPS_OF_TWO):
        turning += [t for t in times if t not in turning and _is_alternating(slices, t)]
    return turning


def _describe_doubled_places(slices: Sequence[Slice]) -> str:
    """Find frames at several places that have one number in their stack (PS3.3 C.7.6.16.2.2)."""
    counts = Counter(numbers := [s.origin.in_stack for s in slices])
    doubled = sum(count > 1 for count in counts.values())
    if "" in counts or len(counts) < 2 or doubled < MOSTLY_DOUBLED * len(counts):
        return ""
    if count_blocks(numbers) > len(set(numbers)):  # parts of a stack that each begin at 1
        return ""
    return f"{len(set(numbers))} InStackPositionNumbers for {len(numbers)} places along the normal"


def _describe_places_by_turns(slices: Sequence[Slice]) -> str:
    """Find overlapping frames whose numbers only rise or fall over every 2nd, 3rd or 4th frame."""
    numbers = [n for s in slices if (n := parse_number(s.origin.in_stack)) is not None]
    if len(numbers) < len(slices) or is_monotone(numbers) or not are_interleaved_counts(numbers):
        return ""
    if not are_overlapping(slices, where_unstated=True):
        return ""
    shown = ", ".join(f"{n:g}" for n in numbers[:MOST_LISTED])
    return f"InStackPositionNumbers {shown}, ... that alternate along the normal"


def _is_alternating(slices: Sequence[Slice], trait: Trait) -> bool:
    """Whether the slices that state an element alternate between several values."""
    stated = [text for text in (getattr(s.origin, trait.field) for s in slices) if text]
    if len(set(stated)) < 2:
        return False
    kind_of = group_values(set(stated), trait)
    kinds = [kind_of[text] for text in stated]
    return are_alternating(kinds) and (
        trait not in MAY_INTERLEAVE_AT_EDGES or are_interleaved(kinds)
    )


def _is_zigzag_in(slices: Sequence[Slice], trait: Trait) -> bool:
    found = [parse_number(getattr(s.origin, trait.field)) for s in slices]
    numbers = [n for n in found if n is not None]
    return len(numbers) == len(slices) and is_zigzag(numbers)


def _describe_turning_dimension(slices: Sequence[Slice]) -> str:
    """Find a dimension of an enhanced object whose values alternate (PS3.3 C.7.6.17)."""
    indices = [s.origin.dimensions.split("\\") for s in slices]
    if len({len(index) for index in indices}) > 1:
        return ""
    for number, column in enumerate(zip(*indices, strict=True), start=1):
        if are_alternating(column):
            kinds = len(set(column))
            return f"{kinds} values of dimension {number} that alternate along the normal"
    return ""


def describe_differences(slices: Sequence[Slice]) -> str:
    """List what differs between slices of one place: "2 echo times (4.6 ms, 9.2 ms), 2 trigger
    times (...)".

    Empty where no element that is read differs.
    """
    quantities = _list_values(map(find_quantity, slices), "quantities")
    return ", ".join(filter(None, (quantities, list_differences(slices, SAME_AT_ONE_PLACE))))


def _count_values(values: Iterable[str], what: str) -> str:
    """Count the values, and the slices that have each, largest number first."""
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shares = [str(n) for _, n in counts.most_common()]
    *first, last = shares if len(shares) <= MOST_LISTED else [*shares[:2], "...", shares[-1]]
    return f"{len(counts)} {what}, of {', '.join(first)} and {last} slices"


def _list_values(values: Iterable[str], what: str) -> str:
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shown = [f"{v or 'none'} ({n} slice{'s' * (n > 1)})" for v, n in sorted(counts.items())]
    return f"{len(counts)} {what}: {', '.join(shown)}"
