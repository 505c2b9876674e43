"""RECIST: the response category of the measured lesions, with the rule that gave it.

It is computed from masks. It is no assessment of a patient: a reader may choose other target
lesions, judges whether a lesion is new and whether others have clearly progressed, and knows what
no image shows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medseg.base.text import count_noun
from medseg.report.followup.change import LesionChange
from medseg.report.followup.match_lesions import Outcome

SMALLEST_MM = 10.0
"""Smallest long axis of a target lesion."""

THIN_SLICE_MM = 5.0
"""In thicker slices a target lesion is twice as long as a slice is thick."""

MOST_TARGETS, MOST_PER_ORGAN = 5, 2
RESPONSE_PERCENT, PROGRESSION_PERCENT, PROGRESSION_MM = -30.0, 20.0, 5.0

_TOLERANCE = 1e-6  # of percentages and mm at a boundary, for the rounding of sums

RULE = (
    "RECIST 1.1 on the measured lesions. Targets: up to 5 lesions of the earlier study and 2 of "
    "an organ, the longest first, with a long axis of 10 mm or more (twice the slice thickness "
    "where that is over 5 mm), and what merged with one of these. PD: a new lesion, or the sum of"
    " the long axes of the targets is larger by 20 % or more and by 5 mm or more than its "
    "smallest value (nadir). CR: all lesions have vanished. PR: the sum is smaller by 30 % or "
    "more than at baseline. SD: none of these. With two studies the earlier one is both baseline "
    "and nadir. Lymph nodes, which are measured by their short axis, are not provided for."
)
"""The rule as it is printed beside each category."""


@dataclass(frozen=True)
class Target:
    """A target lesion.

    Attributes:
        structure: name of the label.
        lesion: its number in the earlier study.
        organ: of which there are two targets at most.
        long_axis_mm: in the earlier study.
    """

    structure: str
    lesion: int
    organ: str
    long_axis_mm: float


@dataclass(frozen=True)
class Recist:
    """The category of the measured lesions.

    Attributes:
        category: "CR", "PR", "SD" or "PD"; None where it cannot be computed.
        reason: what gave the category, with its numbers, or why there is none.
        targets: the target lesions.
        sum_before_mm: the sum of their long axes; None without a target.
        sum_after_mm: of what became of them; None likewise, or where it could not be measured.
        change_mm: of the sum.
        change_percent: of the sum before.
        new_lesions: structure and number of each new lesion.
        smallest_mm: the long axis that a target has at least.
        rule: in words.
    """

    category: str | None
    reason: str
    targets: tuple[Target, ...]
    sum_before_mm: float | None
    sum_after_mm: float | None
    change_mm: float | None
    change_percent: float | None
    new_lesions: tuple[tuple[str, int], ...]
    smallest_mm: float
    rule: str = RULE


def assess_response(
    changes: Sequence[LesionChange],
    *,
    organs: Mapping[str, str] | None = None,
    slice_thickness_mm: float = 1.0,
    doubt: str = "",
) -> Recist:
    """The RECIST 1.1 category of matched lesions.

    Of lesions that merged or split, what became of them counts once: the long axis of the merged
    one, the sum of those of the parts. A lesion that merged with a target is measured with it, in
    both studies, though there may be more than five then. There is no category where it may depend
    on what lies outside one of the images.

    Args:
        changes: of the lesions, from `measure_change`.
        organs: the organ of each structure; a structure that is not named is its own organ.
        slice_thickness_mm: of the earlier study.
        doubt: why the studies may not be of one patient; with it there is no category.

    Source: Eisenhauer et al., "New response evaluation criteria in solid tumours: Revised RECIST
    guideline (version 1.1)", European Journal of Cancer, 2009, sections 3.1, 4.1, 4.3 and table 1.
    """
    thick = slice_thickness_mm > THIN_SLICE_MM
    smallest = 2 * slice_thickness_mm if thick else SMALLEST_MM
    chosen = _choose_targets(changes, organs or {}, smallest)
    ids = {(one.structure, one.lesion) for one in chosen}
    followed = [
        change for change in changes if any((one.name, one.lesion) in ids for one in change.before)
    ]
    targets = (*chosen, *_list_merged(followed, ids, organs or {}))
    before = math.fsum(one.long_axis_mm for one in targets) if targets else None
    after = _add_up_after(followed) if targets else None
    change = None if before is None or after is None else after - before
    percent = None if change is None or not before else 100 * change / before
    found = [o for o in changes if o.match is not None and o.match.outcome is Outcome.NEW]
    new = tuple((one.name, one.lesion) for each in found for one in each.after)
    category, reason = _judge(changes, followed, found, change, percent, smallest)
    unknown = sum(_lies_outside_earlier(one) for one in changes)
    if unknown and category not in (None, "PD"):
        category = None
        reason = (
            f"{count_noun(unknown, 'lesion')} of the later study outside the earlier image may be "
            "new or not"
        )
    if doubt and category is not None:
        category, reason = None, f"{doubt}; if they are of one patient, pass --same-patient"
    return Recist(category, reason, targets, before, after, change, percent, new, smallest)


def _choose_targets(
    changes: Sequence[LesionChange], organs: Mapping[str, str], smallest: float
) -> tuple[Target, ...]:
    """The longest lesions of the earlier study, at most two of an organ and five in all."""
    measured = [
        Target(one.name, one.lesion, organs.get(one.name, one.name), one.long_axis_mm)
        for change in changes
        for one in change.before
        if one.long_axis_mm is not None and one.long_axis_mm >= smallest - _TOLERANCE
    ]
    measured.sort(key=lambda one: (-one.long_axis_mm, one.structure, one.lesion))
    chosen: list[Target] = []
    taken: Counter[str] = Counter()
    for one in measured:
        if len(chosen) < MOST_TARGETS and taken[one.organ] < MOST_PER_ORGAN:
            chosen.append(one)
            taken[one.organ] += 1
    return tuple(chosen)


def _list_merged(
    followed: Sequence[LesionChange], ids: Collection[tuple[str, int]], organs: Mapping[str, str]
) -> Iterator[Target]:
    """The lesions that merged with a target and are none themselves."""
    for change in followed:
        for one in change.before:
            if (one.name, one.lesion) not in ids and one.long_axis_mm is not None:
                organ = organs.get(one.name, one.name)
                yield Target(one.name, one.lesion, organ, one.long_axis_mm)


def _lies_outside_earlier(change: LesionChange) -> bool:
    is_outside = change.match is not None and change.match.outcome is Outcome.OUTSIDE
    return is_outside and bool(change.after)


def _add_up_after(followed: Sequence[LesionChange]) -> float | None:
    sizes = [change.long_axis_mm.after for change in followed]
    known = [size for size in sizes if size is not None]
    return math.fsum(known) if len(known) == len(sizes) else None


def _judge(
    changes: Sequence[LesionChange],
    followed: Sequence[LesionChange],
    new: Sequence[LesionChange],
    change: float | None,
    percent: float | None,
    smallest: float,
) -> tuple[str | None, str]:
    """The category and its reason."""
    if not any(one.before for one in changes):
        return None, (
            "there is no lesion in the earlier study by which a response could be judged; new "
            f"lesions: {len(new)}"
        )
    if new:
        names = ", ".join(one.label for one in new)
        return "PD", f"{len(new)} new lesion{'s' * (len(new) > 1)}: {names}"
    if not followed:
        return None, (
            f"no lesion of the earlier study has a long axis of {smallest:g} mm or more, so there "
            "is no target lesion"
        )
    if change is None or percent is None:
        return None, (
            "a target lesion lies outside the later image, or its long axis could not be measured"
        )
    return _judge_sum(changes, followed, change, percent)


def _judge_sum(
    changes: Sequence[LesionChange],
    followed: Sequence[LesionChange],
    change: float,
    percent: float,
) -> tuple[str, str]:
    """The category by the sum of the long axes, without new lesions."""
    sums = f"the sum of the long axes changed by {percent:+.1f} % ({change:+.1f} mm)"
    if percent >= PROGRESSION_PERCENT - _TOLERANCE and change >= PROGRESSION_MM - _TOLERANCE:
        return "PD", f"{sums}: larger by 20 % and by 5 mm or more"
    if all(not one.after for one in followed):
        others = sum(
            bool(one.before) and one not in followed and _may_remain(one) for one in changes
        )
        if not others:
            return "CR", "all lesions have vanished"
        verb = "others remain" if others > 1 else "other remains"
        return "PR", f"all target lesions have vanished, and {others} {verb}"
    if percent <= RESPONSE_PERCENT + _TOLERANCE:
        return "PR", f"{sums}: smaller by 30 % or more"
    return "SD", f"{sums}: neither smaller by 30 % nor larger by 20 % and by 5 mm"


def _may_remain(change: LesionChange) -> bool:
    """Whether a lesion is still there, or may be, outside the later image."""
    is_gone = change.match is not None and change.match.outcome is Outcome.VANISHED
    return not is_gone
