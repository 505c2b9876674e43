"""Page: a comparison of two studies as one page of HTML that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from medseg.inference.outputs.value_unit import HU
from medseg.report.followup.change import Change, LesionChange
from medseg.report.followup.compare import Followup
from medseg.report.followup.match_lesions import Outcome
from medseg.report.followup.slice_pictures import (
    EARLIER,
    LATER,
    PIXELS,
    choose_limits,
    draw_slices,
)
from medseg.report.followup.table import format_doubling, format_percent
from medseg.report.page.compose import compose_page, render

MOST_ROWS, MOST_PICTURES, MOST_NOTES = 40, 8, 10
"""So many matches have a row, so many of them pictures, and so many warnings are told: a page to
print. The files have them all."""

_FIRST = (Outcome.NEW, Outcome.OUTSIDE, Outcome.MERGED, Outcome.SPLIT, Outcome.REGROUPED)
"""Outcomes that are shown in pictures before others that are no targets."""

_MINUS = "\N{MINUS SIGN}"
_NONE = "\N{EN DASH}"
_MEANINGS = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progressive disease",
}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: of the structure, with the letter of the lesion.
        numbers: of the lesions in each study; "" for a structure.
        outcome: in words; "" for a structure.
        is_target: whether a target lesion is among them.
        cells: numbers in words.
        is_lesion: whether it is of lesions.
    """

    name: str
    numbers: str
    outcome: str
    is_target: bool
    cells: tuple[str, ...]
    is_lesion: bool


@dataclass(frozen=True)
class Figure:
    """The pictures of a match.

    Attributes:
        name: of the structure, with the letter of the lesion.
        numbers: of the lesions in each study.
        outcome: in words.
        plane: "axial", "coronal" or "sagittal", with the number of the slice.
        pictures: title and PNG in base64 of each.
    """

    name: str
    numbers: str
    outcome: str
    plane: str
    pictures: tuple[tuple[str, str], ...]


def format_page(found: Followup, *, day: date) -> str:
    """A comparison as HTML: response with its rule, table of changes, pictures, registration.

    Names come from files and headers, and are escaped. The page runs no script and asks for
    nothing from the network.

    Args:
        found: the comparison. Without both images it has no pictures.
        day: on which it was made.
    """
    shown = _choose_rows(found)
    body = render(
        "followup.html",
        before=found.before,
        after=found.after,
        days=found.days,
        day=day.isoformat(),
        notes=found.warnings[:MOST_NOTES],
        more_notes=len(found.warnings[MOST_NOTES:]),
        response=found.recist,
        meaning=_MEANINGS.get(found.recist.category or "", ""),
        sums=_format_sums(found),
        rows=[*map(_make_row, found.structures), *(_make_lesion_row(c, found) for c in shown)],
        left_out=len(found.lesions) - len(shown),
        figures=_draw_figures(found, shown),
        window=_describe_window(found),
        pixels=PIXELS,
        earlier=EARLIER,
        later=LATER,
        facts=_list_facts(found),
    )
    title = f"{found.before.name} > {found.after.name}: follow-up report"
    return "".join(compose_page(title, body))


def _choose_rows(found: Followup) -> list[LesionChange]:
    """The matches of the table: all, or the most telling ones, in their order."""
    order = sorted(range(len(found.lesions)), key=lambda k: _rank(found.lesions[k], found))
    return [found.lesions[k] for k in sorted(order[:MOST_ROWS])]


def _rank(change: LesionChange, found: Followup) -> tuple[int, float]:
    """Targets first, then what is new or needs a look, then the others; the largest first."""
    outcome = None if change.match is None else change.match.outcome
    volume = max(change.volume_ml.before or 0.0, change.volume_ml.after or 0.0)
    return 0 if found.is_target(change) else 1 if outcome in _FIRST else 2, -volume


def _make_row(change: LesionChange) -> Row:
    return Row(*_name(change), False, _list_cells(change), is_lesion=False)


def _make_lesion_row(change: LesionChange, found: Followup) -> Row:
    return Row(*_name(change), found.is_target(change), _list_cells(change), is_lesion=True)


def _name(change: LesionChange) -> tuple[str, str, str]:
    """What a match is called, the numbers of its lesions, and its outcome."""
    outcome = "" if change.match is None else change.match.outcome.value
    return change.title, change.numbers, outcome


def _list_cells(change: LesionChange) -> tuple[str, ...]:
    cells = []
    for size, digits in (
        *((change.volume_ml, 2), (change.long_axis_mm, 1), (change.short_axis_mm, 1)),
    ):
        cells += [_format_size(one, digits) for one in (size.before, size.after)]
        cells.append(_format_change(size))
    return (*cells, format_doubling(change.doubling_days) or _NONE)


def format_number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number in words, a dash where there is none.

    Example:
        >>> format_number(-3.14159, 2), format_number(None, 2), format_number(2, 0, signed=True)
        ('−3.14', '–', '+2')
    """  # noqa: RUF002 - the very signs
    if value is None:
        return _NONE
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", _MINUS)


def _format_size(value: float | None, digits: int) -> str:
    """A size in words; 0 of what is absent, which has no digits behind the point."""
    return "0" if value == 0 else format_number(value, digits)


def _format_change(size: Change) -> str:
    if size.percent is None:
        return _NONE
    return f"{format_percent(size.percent)} %".replace("-", _MINUS)


def _format_sums(found: Followup) -> str:
    """The sums of the long axes, with the targets; "" without a target."""
    response = found.recist
    if not response.targets:
        return ""
    names = ", ".join(one.label for one in found.lesions if found.is_target(one))
    before, after = (
        format_number(one, 1) for one in (response.sum_before_mm, response.sum_after_mm)
    )
    change = format_number(response.change_mm, 1, signed=True)
    percent = format_number(response.change_percent, 1, signed=True)
    return f"Targets: {names}. Sum of long axes {before} → {after} mm ({change} mm, {percent} %)."


def _draw_figures(found: Followup, shown: Sequence[LesionChange]) -> list[Figure]:
    if found.before.image is None or found.after.image is None:
        return []
    limits = _choose_limits(found)
    chosen = sorted(shown, key=lambda one: _rank(one, found))[:MOST_PICTURES]
    figures: list[Figure] = []
    for change in (one for one in shown if one in chosen):
        plane, pictures = draw_slices(found, change, limits, unregistered=not figures)
        packed = tuple((one.title, base64.b64encode(one.png).decode()) for one in pictures)
        figures.append(Figure(*_name(change), plane, packed))
    return figures


def _choose_limits(found: Followup) -> tuple[tuple[float, float], tuple[float, float]]:
    """What is drawn black and white, of both studies: the same where both are in HU."""
    if _is_shared(found):
        both = choose_limits(found.before, found.after)
        return both, both
    return choose_limits(found.before), choose_limits(found.after)


def _is_shared(found: Followup) -> bool:
    return found.before.unit == found.after.unit == HU


def _describe_window(found: Followup) -> str:
    """The grey window of the pictures, in words; "" without pictures."""
    if found.before.image is None or found.after.image is None:
        return ""
    if not _is_shared(found):
        return (
            "The grey values of each study are scaled by themselves, since their unit is not known "
            "to be HU: brighter or darker in one study than in the other means nothing"
        )
    low, high = (format_number(value, 0) for value in _choose_limits(found)[0])
    return (
        f"One grey window for all pictures of both studies: black at {low} HU, white at {high} HU"
    )


def _list_facts(found: Followup) -> list[tuple[str, str]]:
    """How the comparison was made."""
    moved = found.registration
    if moved.method == "none":
        facts = [("Registration", "none: both masks are on one grid")]
    else:
        right, front, head = (format_number(mm, 1, signed=True) for mm in moved.shift_mm)
        start = format_number(moved.similarity_at_start, 2)
        facts = [
            ("Registration", "rigid, the earlier image moved onto the later one"),
            ("Moved by", f"{right}, {front}, {head} mm to the right, the front and the head"),
            ("Turned by", f"{format_number(moved.angle_degrees, 1)}°"),
            ("Overlap", f"{moved.overlap:.0%}"),
            ("Similarity", f"{start} before, {format_number(moved.similarity, 2)} after, of 1"),
        ]
    facts.append(("Matched up to", f"{found.farthest_mm:g} mm apart, or by overlap"))
    if found.smallest_ml:
        facts.append(("Left out", f"lesions below {found.smallest_ml:g} mL"))
    for word, case in (("Earlier", found.before), ("Later", found.after)):
        spacing = " x ".join(f"{mm:.2g}" for mm in case.geometry.spacing_mm)
        made_by = case.made_by or "an unknown bundle"
        facts.append((f"{word} mask", f"{made_by}; voxels of {spacing} mm"))
    return facts
