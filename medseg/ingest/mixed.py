"""Mixed: what shows that slices under one UID are of several patients, acquisitions or quantities.

An element that some of the slices leave out is no contradiction to the others: it changes neither
values nor places. What varies within one good volume refuses none: times of acquisition, trigger
times, tube current, words of processing in ImageType. Times are named where slices of one place
differ in them.

Slices that overlap by half are more often of two volumes between each other. There whatever splits
them by turns, in a strict order, makes them two, be it an element that every other one leaves out
and whose absence says something. That of others, such as the tube voltage, is noted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from medseg.ingest.elements import has_decimal_comma
from medseg.ingest.origin import keyword_of
from medseg.ingest.quantity import quantity
from medseg.ingest.slice import Slice
from medseg.ingest.traits import (
    ABSENCE_SAYS,
    ACQUISITION,
    ACQUISITION_TIME,
    AT_EDGES,
    NOT_TO_AND_FRO,
    OF_ONE_PLACE,
    OF_ONE_VOLUME,
    OF_TIME,
    SAYS_BY_ABSENCE,
    TIMES_OF_PACKAGES,
    TRAIT_OF,
    Trait,
)
from medseg.ingest.turns import (
    OVERLAP,
    alternate,
    blocks,
    count_by_turns,
    is_monotone,
    lie_among_each_other,
    may_be_packages,
    overlap,
    places_along,
    swing,
    take_turns,
)
from medseg.ingest.weak_elements import is_weak

MOSTLY_DOUBLED = 0.5
"""Of two volumes between each other this part of the places in a stack is there twice, at least."""

_MOST_LISTED = 4


def mixed_patient(slices: Sequence[Slice]) -> str:
    """Two values of PatientID, PatientBirthDate or PatientSex (PS3.3 C.7.1.1).

    They are counted and never shown. Each may be left empty in some of the slices.
    """
    origins = [s.origin for s in slices]
    return (
        _counted((o.patient for o in origins if o.patient), "patients")
        or _counted((o.birth_date for o in origins if o.birth_date), "birth dates")
        or _counted((o.sex for o in origins if o.sex), "sexes")
    )


def mixed_study(slices: Sequence[Slice]) -> str:
    """Two StudyInstanceUIDs: a series is of one study (PS3.3 A.1.2.3); see `is_uid_per_file`."""
    if is_uid_per_file((s.path, s.origin.study) for s in slices):
        return ""
    return _counted((s.origin.study for s in slices if s.origin.study), "studies")


def is_uid_per_file(stated: Iterable[tuple[Path, str]]) -> bool:
    """Whether each of three or more files states a UID of its own, as of its study.

    ITK makes such UIDs up whenever it writes a file and none is set, and so do anonymisers, so that
    slices which were written one by one differ in them and nothing can be told from that.
    """
    pairs = set(stated)
    return 3 <= len(pairs) == len({path for path, _ in pairs}) == len({uid for _, uid in pairs})


def mixed_kernel(slices: Sequence[Slice]) -> str:
    """Two values of ConvolutionKernel (PS3.3 C.8.2.1): reconstructions of another sharpness."""
    kernels = (s.origin.kernel.replace("\\", " ") for s in slices)
    return _listed(filter(None, kernels), "convolution kernels")


def mixed_quantity(slices: Sequence[Slice]) -> str:
    """Slices whose values mean different things, see `quantity`; some may not say what they are."""
    stated = (s for s in slices if any(s.image_type) or s.origin.component)
    return _listed(map(quantity, stated), "quantities")


def mixed_acquisition(slices: Sequence[Slice]) -> str:
    """Slices, one at each place, of several echoes, b-values, times, voltages or series.

    Of CT also those whose AcquisitionNumbers take turns along the normal, such as two phases at
    half a spacing. Numbers that come in blocks are one scan, rotation after rotation, and the edges
    of two rotations may lie between each other. So it is with thickness, contrast agent, filter and
    the position of the patient, where each value comes back again and again.

    Where slices overlap, smaller differences of repetition and inversion time and trigger times
    count too, and anything else that is stated by turns in a strict order; see
    `medseg.ingest.turns.overlap`. Slices that are alike in all of this stay one volume: a scan and
    its own copy half a step farther are, by every header, a scan of half the spacing.

    Args:
        slices: sorted along their normal.
    """
    if found := _differences(slices, OF_ONE_VOLUME, is_absence_one=False):
        return found
    turning = [trait for trait in NOT_TO_AND_FRO if _is_to_and_fro(slices, trait)]
    turning += _turning_times(slices)
    scans = [s for s in slices if s.kind == "CT" and s.origin.acquisition]
    numbers = _column([s.origin.acquisition for s in scans], ACQUISITION)
    if lie_among_each_other(numbers):
        turning.append(ACQUISITION)
    if turning:
        return f"{_differences(slices, turning)} that take turns along the normal"
    return (
        _doubled_places(slices)
        or _places_by_turns(slices)
        or _turning_dimension(slices)
        or _alternating(slices)
        or _left_out(slices)
    )


def _turning_times(slices: Sequence[Slice]) -> list[Trait]:
    """Times that swing between two volumes, where slices overlap; the heartbeat does not."""
    ignored = TIMES_OF_PACKAGES if may_be_packages(slices) else ()
    times = [trait for trait in OF_TIME if trait.field not in ignored]
    turning = []
    if ACQUISITION_TIME.field not in ignored and overlap(slices, where_unstated=False):
        turning += [ACQUISITION_TIME] if _swings(slices, ACQUISITION_TIME) else []
    if overlap(slices, where_unstated=True):
        turning += [trait for trait in times if _swings(slices, trait)]
    if overlap(slices, where_unstated=True, steps=OVERLAP):
        turning += [t for t in times if t not in turning and _is_to_and_fro(slices, t)]
    return turning


def _doubled_places(slices: Sequence[Slice]) -> str:
    """Frames of several places that count as one place of their stack (PS3.3 C.7.6.16.2.2)."""
    counts = Counter(numbers := [s.origin.in_stack for s in slices])
    doubled = sum(count > 1 for count in counts.values())
    if "" in counts or len(counts) < 2 or doubled < MOSTLY_DOUBLED * len(counts):
        return ""
    if blocks(numbers) > len(set(numbers)):  # parts of a stack that each begin at 1
        return ""
    return f"{len(set(numbers))} InStackPositionNumbers for {len(numbers)} places along the normal"


def _places_by_turns(slices: Sequence[Slice]) -> str:
    """Overlapping frames that count up or down in every second, third or fourth of them only."""
    numbers = [n for s in slices if (n := _number(s.origin.in_stack)) is not None]
    if len(numbers) < len(slices) or is_monotone(numbers) or not count_by_turns(numbers):
        return ""
    if not overlap(slices, where_unstated=True):
        return ""
    shown = ", ".join(f"{n:g}" for n in numbers[:_MOST_LISTED])
    return f"InStackPositionNumbers {shown}, ... that take turns along the normal"


def _is_to_and_fro(slices: Sequence[Slice], trait: Trait) -> bool:
    """Whether those slices that state an element state several values by turns."""
    stated = [text for text in (getattr(s.origin, trait.field) for s in slices) if text]
    if len(set(stated)) < 2:
        return False
    kind_of = _kinds(set(stated), trait)
    kinds = [kind_of[text] for text in stated]
    return take_turns(kinds) and (trait not in AT_EDGES or lie_among_each_other(kinds))


def _swings(slices: Sequence[Slice], trait: Trait) -> bool:
    found = [_number(getattr(s.origin, trait.field)) for s in slices]
    numbers = [n for n in found if n is not None]
    return len(numbers) == len(slices) and swing(numbers)


def _alternating(slices: Sequence[Slice]) -> str:
    """What overlapping slices state, or leave out, in a strict order of turns.

    So it is where nothing is stated that shows whether they overlap.
    """
    if not overlap(slices, where_unstated=True):
        return ""
    columns = _turning(slices)
    turning = [
        name
        for name, column in columns.items()
        if not _is_mere_absence(name, column) and not is_weak(name, column)
    ]
    if TIMES_OF_PACKAGES.issuperset(turning) and may_be_packages(slices):
        return ""
    traits = [trait for trait in OF_ONE_PLACE if trait.field in turning]
    found = [_differences(slices, traits)] if traits else []
    for name in (name for name in turning if name not in TRAIT_OF):
        found.append(f"{len(set(columns[name]))} values of {name}")
    if not found:
        return ""
    shown = found if len(found) <= _MOST_LISTED else [*found[:_MOST_LISTED], "..."]
    is_stated = overlap(slices, where_unstated=False)
    whose = "of slices that overlap" if is_stated else "of slices that state no thickness"
    return f"{', '.join(shown)} that take turns along the normal, {whose}"


def _left_out(slices: Sequence[Slice]) -> str:
    """What every other slice leaves out, whether they overlap or not, though that says something.

    Siemens states the b-value of diffusion images alone, not that of the image without.
    """
    places = places_along(slices)
    columns = {t: _column([getattr(s.origin, t.field) for s in slices], t) for t in SAYS_BY_ABSENCE}
    turning = [
        trait
        for trait, column in columns.items()
        if "" in column and (alternate(column) or alternate(column, places))
    ]
    return f"{_differences(slices, turning)} that take turns along the normal" if turning else ""


def left_out_by_turns(slices: Sequence[Slice]) -> list[str]:
    """Keywords that every other of overlapping slices leaves out, though all images have them.

    Args:
        slices: sorted along their normal, which no rule refuses.
    """
    if len(slices) < 2 or not overlap(slices, where_unstated=False):
        return []
    columns = _turning(slices)
    return [keyword_of(name) for name in columns if _is_mere_absence(name, columns[name])]


def _turning(slices: Sequence[Slice]) -> dict[str, list[float | str]]:
    """What takes turns in a strict order, by field or keyword."""
    places = places_along(slices)
    columns = _columns(slices).items()
    return {n: column for n, column in columns if alternate(column) or alternate(column, places)}


def _is_mere_absence(name: str, column: Sequence[float | str]) -> bool:
    kinds = set(column)
    is_mere = ABSENCE_SAYS.isdisjoint((name, *re.split(r"\[\d+\]\.|\.", name)))
    return is_mere and "" in kinds and len(kinds - {""}) == 1


def _columns(slices: Sequence[Slice]) -> dict[str, list[float | str]]:
    """What slices state of each field or keyword in which they differ; see `_column`."""
    others = [dict(s.origin.others) for s in slices]
    stated = {t.field: [getattr(s.origin, t.field) for s in slices] for t in OF_ONE_PLACE}
    stated["ImageType"] = ["\\".join(s.image_type) for s in slices]
    for keyword in sorted(set().union(*others)):
        stated[keyword] = [one.get(keyword, "") for one in others]
    exact = Trait("others", "values", tolerance=0)
    return {
        name: _column(texts, TRAIT_OF.get(name, exact))
        for name, texts in stated.items()
        if len(set(texts)) > 1
    }


def _column(stated: Sequence[str], trait: Trait) -> list[float | str]:
    """What each slice states, "" included; values within the tolerance are the same."""
    kind_of = _kinds(set(stated), trait)
    return [kind_of[text] for text in stated]


def _turning_dimension(slices: Sequence[Slice]) -> str:
    """A dimension of an enhanced object that takes turns, whatever it is of (PS3.3 C.7.6.17)."""
    indices = [s.origin.dimensions.split("\\") for s in slices]
    if len({len(index) for index in indices}) > 1:
        return ""
    for number, column in enumerate(zip(*indices, strict=True), start=1):
        if take_turns(column):
            kinds = len(set(column))
            return f"{kinds} values of dimension {number} that take turns along the normal"
    return ""


def differences(slices: Sequence[Slice]) -> str:
    """What tells slices of one place apart: "2 echo times (4.6 ms, 9.2 ms), 2 trigger times (...)".

    Empty where nothing that is read differs.
    """
    quantities = _listed(map(quantity, slices), "quantities")
    return ", ".join(filter(None, (quantities, _differences(slices, OF_ONE_PLACE))))


def _differences(
    slices: Sequence[Slice], traits: Iterable[Trait], *, is_absence_one: bool = True
) -> str:
    found = (_difference(slices, trait, is_absence_one=is_absence_one) for trait in traits)
    return ", ".join(filter(None, found))


def _difference(slices: Sequence[Slice], trait: Trait, *, is_absence_one: bool) -> str:
    stated = {getattr(s.origin, trait.field) for s in slices}
    if not is_absence_one:
        stated.discard("")
    if len(stated) < 2:
        return ""
    kinds = list(dict.fromkeys(_kinds(stated, trait).values()))
    if len(kinds) < 2:
        return ""
    count = f"{len(kinds)} {trait.names}"
    values = [_shown(kind, trait) for kind in kinds]
    shown = values if len(values) <= _MOST_LISTED else [*values[:2], "...", values[-1]]
    return f"{count} ({', '.join(shown)})" if trait.is_listed else count


def _kinds(stated: set[str], trait: Trait) -> dict[str, float | str]:
    """What each value counts as: numbers as the lowest of those within the tolerance, by size."""
    numbers = {} if trait.tolerance is None else {text: _number(text) for text in stated}
    kinds: dict[str, float | str] = {}
    lowest = -math.inf
    for n, text in sorted((n, text) for text, n in numbers.items() if n is not None):
        if n - lowest > (trait.tolerance or 0) * abs(n):
            lowest = n
        kinds[text] = lowest
    return {
        **kinds,
        **{text: text for text in sorted(stated - {""}) if text not in kinds},
        **({"": ""} if "" in stated else {}),
    }


def _shown(kind: float | str, trait: Trait) -> str:
    if isinstance(kind, str):
        return kind.replace("\\", " ") or "none"
    return f"{kind:g} {trait.unit}".rstrip()


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ".") if has_decimal_comma(text) else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _counted(values: Iterable[str], what: str) -> str:
    """How many values and of how many slices each is, largest first."""
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shares = [str(n) for _, n in counts.most_common()]
    *first, last = shares if len(shares) <= _MOST_LISTED else [*shares[:2], "...", shares[-1]]
    return f"{len(counts)} {what}, of {', '.join(first)} and {last} slices"


def _listed(values: Iterable[str], what: str) -> str:
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shown = [f"{v or 'none'} ({n} slice{'s' * (n > 1)})" for v, n in sorted(counts.items())]
    return f"{len(counts)} {what}: {', '.join(shown)}"
