"""Change: what became of a structure or lesion: volume, diameters, and how fast it grew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from medseg.report.followup.match_lesions import Match, Outcome
from medseg.report.measure import Measurement

_ABSENT = "the lesion is in one of the two studies only"
_NO_DATES = "the dates of both studies are not known"
_SAME_DAY = "the later study is not of a later day"
_SAME_VOLUME = "the volume is the same, to less than a voxel"
_NOTHING = "it is 0 in the earlier study"


@dataclass(frozen=True)
class Change:
    """A size before and after.

    Attributes:
        before: in mL or mm; None where it could not be measured.
        after: likewise.
    """

    before: float | None
    after: float | None

    @property
    def absolute(self) -> float | None:
        """After minus before, in the same unit; None where one of them is not known."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """The change in percent of the size before; None where that is 0 or not known."""
        change = self.absolute
        return 100 * change / self.before if change is not None and self.before else None


@dataclass(frozen=True)
class LesionChange:
    """What became of lesions that belong together, or of a whole structure.

    The sizes of several lesions are added: RECIST 1.1 does the same with the long axes of the
    parts of a lesion that fell apart. A lesion that is absent has the size 0. One outside the other
    image has no size there.

    Attributes:
        structure: name of the label.
        match: which lesions, and why they belong together; None for a whole structure.
        before: what was measured of each in the earlier study.
        after: in the later one.
        volume_ml: their volume.
        long_axis_mm: their long axes.
        short_axis_mm: the longest lines perpendicular to these.
        doubling_days: time in which the volume doubles, if it grows on like this; negative: in
            which it halves. None where it changed by less than a voxel: both are one volume then.
        reasons: why something is None, by its name.
        letter: of the lesions of a match, among all of a comparison: "A", "B", ...; "" for a whole
            structure.
    """

    structure: str
    match: Match | None
    before: tuple[Measurement, ...]
    after: tuple[Measurement, ...]
    volume_ml: Change
    long_axis_mm: Change
    short_axis_mm: Change
    doubling_days: float | None
    reasons: dict[str, str] = field(default_factory=dict)
    letter: str = ""

    @property
    def title(self) -> str:
        """Structure and letter: "tumour A"."""
        return f"{self.structure} {self.letter}".rstrip()

    @property
    def numbers(self) -> str:
        """The numbers of the lesions in each study: "earlier 1+2, later 1"; "" for a structure."""
        if self.match is None:
            return ""
        sides = (("earlier", self.match.before), ("later", self.match.after))
        return ", ".join(f"{word} {'+'.join(map(str, side))}" for word, side in sides if side)

    @property
    def label(self) -> str:
        """Both: "tumour A (earlier 1+2, later 1)"."""
        return f"{self.title} ({self.numbers})" if self.numbers else self.title

    def without_doubling(self, reason: str) -> LesionChange:
        """A copy without a doubling time, and why."""
        return replace(self, doubling_days=None, reasons={**self.reasons, "doubling_days": reason})


def measure_change(
    before: Sequence[Measurement],
    after: Sequence[Measurement],
    *,
    match: Match | None,
    dates: tuple[date | None, date | None] = (None, None),
) -> LesionChange:
    """Compare the sizes of lesions that belong together, or of one structure.

    Args:
        before: what was measured in the earlier study: those of a match, or the whole structure.
        after: in the later one.
        match: of the lesions; None for a whole structure.
        dates: of both studies.

    Raises:
        ValueError: nothing is given on either side.

    Example:
        >>> small, large = Measurement("x", 1, 1, 8, 1.0), Measurement("x", 1, 1, 8, 2.0)
        >>> days = (date(2026, 1, 1), date(2026, 1, 31))
        >>> found = measure_change([small], [large], match=None, dates=days)
        >>> found.volume_ml.percent, found.doubling_days
        (100.0, 30.0)
    """
    if not (before or after):
        raise ValueError("a change needs a lesion on one side at least: give its measurements")
    is_outside = match is not None and match.outcome is Outcome.OUTSIDE

    def compare(size: Callable[[Measurement], float | None]) -> Change:
        """The sums of a size on both sides; an absent lesion has 0, one outside None."""
        sides = (_add_up(map(size, side)) if side else None for side in (before, after))
        old, new = (
            0.0 if one is None and not given and not is_outside else one
            for one, given in zip(sides, (before, after), strict=True)
        )
        return Change(old, new)

    volume = compare(lambda one: one.volume_ml)
    long_axis = compare(_get_axis("long_axis_mm"))
    short_axis = compare(_get_axis("perpendicular_mm"))
    voxel_ml = max(
        (one.volume_ml / one.voxels for one in (*before, *after) if one.voxels), default=0.0
    )
    doubling, why = _measure_doubling(volume, dates, voxel_ml)
    reasons = {} if why is None else {"doubling_days": why}
    for name, change in (
        *(("volume_ml", volume), ("long_axis_mm", long_axis), ("short_axis_mm", short_axis)),
    ):
        if change.percent is None:
            reasons[name] = _explain(change, name, (*before, *after), is_outside=is_outside)
    return LesionChange(
        (*before, *after)[0].name,
        match,
        tuple(before),
        tuple(after),
        volume,
        long_axis,
        short_axis,
        doubling,
        reasons,
    )


def _get_axis(name: str) -> Callable[[Measurement], float | None]:
    """A diameter of a measurement; 0 of a structure without a voxel."""
    return lambda one: getattr(one, name) if one.voxels else 0.0


def _add_up(sizes: Iterable[float | None]) -> float | None:
    """The sum; None where one of the sizes is not known."""
    listed = list(sizes)
    known = [size for size in listed if size is not None]
    return math.fsum(known) if len(known) == len(listed) else None


def _explain(
    change: Change, name: str, measured: Iterable[Measurement], *, is_outside: bool
) -> str:
    """Why there is no percentage."""
    if is_outside:
        return "the lesion lies outside the other image"
    if change.absolute is not None:
        return _NOTHING
    source = {"short_axis_mm": "perpendicular_mm"}.get(name, name)
    return next((one.reasons[source] for one in measured if source in one.reasons), _ABSENT)


def _measure_doubling(
    volume: Change, dates: tuple[date | None, date | None], voxel_ml: float
) -> tuple[float | None, str | None]:
    """The time in days, or why there is none."""
    first, second = dates
    if not volume.before or not volume.after:
        return None, _ABSENT
    if first is None or second is None:
        return None, _NO_DATES
    days = (second - first).days
    if days <= 0:
        return None, _SAME_DAY
    if abs(volume.after - volume.before) < voxel_ml or volume.after == volume.before:
        return None, _SAME_VOLUME
    return days / math.log2(volume.after / volume.before), None


def make_letters(number: int) -> str:
    """The letters of lesion 0, 1, ... of a comparison: A to Z, then AA, AB, and so on.

    Example:
        >>> [make_letters(n) for n in (0, 25, 26, 701, 702)]
        ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    letters = ""
    number += 1
    while number:
        number, last = divmod(number - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters
