"""Table: what changed between two studies, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.markup import escape
from rich.table import Table

from medseg.base.text import escape_unprintable
from medseg.report.followup.change import Change, LesionChange
from medseg.report.followup.compare import Followup
from medseg.report.followup.match_lesions import Outcome

MOST_DAYS = 3652
"""A doubling time of more than ten years is stated as that: no two studies measure it."""

_STYLES = {
    Outcome.NEW: "red",
    Outcome.VANISHED: "green",
    Outcome.MERGED: "yellow",
    Outcome.SPLIT: "yellow",
    Outcome.REGROUPED: "yellow",
    Outcome.OUTSIDE: "yellow",
}


def make_table(found: Followup) -> Table:
    """One line for each structure, then one for each lesion or lesions that belong together.

    `A (1 to 2)` is lesion 1 of the earlier and 2 of the later study, by the numbers of the
    measurements of each.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("structure", "lesion", "outcome"):
        table.add_column(heading, no_wrap=True)
    for heading in ("volume mL", "change", "long axis mm", "change", "doubling days"):
        table.add_column(heading, no_wrap=True, justify="right")
    for change in (*found.structures, *found.lesions):
        table.add_row(*_list_cells(change))
    return table


def format_lines(found: Followup) -> Iterator[str]:
    """Studies, registration and response, a line each, and the rule of the response."""
    first, second = (
        f"{one.name} ({one.date or 'day unknown'})" for one in (found.before, found.after)
    )
    yield f"studies: {first} and {second}" + ("" if found.days is None else f", {found.days} days")
    moved = found.registration
    if moved.method == "none":
        yield "registration: none, both masks are on one grid"
    else:
        right, front, head = moved.shift_mm
        start = "-" if moved.similarity_at_start is None else f"{moved.similarity_at_start:.2f}"
        yield (
            f"registration: moved by {right:.1f}, {front:.1f}, {head:.1f} mm (right, front, head) "
            f"and turned by {moved.angle_degrees:.1f} degrees; overlap {moved.overlap:.0%}, "
            f"similarity {start} before, {moved.similarity:.2f} after"
        )
    response = found.recist
    yield f"RECIST 1.1 of the measured lesions: {response.category or 'none'} ({response.reason})"
    if response.sum_before_mm is not None:
        names = ", ".join(one.label for one in found.lesions if found.is_target(one))
        after = "-" if response.sum_after_mm is None else f"{response.sum_after_mm:.1f}"
        yield f"targets: {names}; sum of long axes {response.sum_before_mm:.1f} to {after} mm"
    yield f"rule: {response.rule}"
    yield "for research: this is no assessment of a patient"


def _list_cells(change: LesionChange) -> tuple[str, ...]:
    name = escape(escape_unprintable(change.structure))
    sizes = (
        _format_sizes(change.volume_ml, 2),
        _format_percent(change.volume_ml),
        _format_sizes(change.long_axis_mm, 1),
        _format_percent(change.long_axis_mm),
        format_doubling(change.doubling_days) or "-",
    )
    if change.match is None:
        return (name, "all", "", *sizes)
    outcome = change.match.outcome
    sides = (change.match.before, change.match.after)
    numbers = " to ".join("+".join(map(str, side)) or "-" for side in sides)
    lesion = f"{change.letter} ({numbers})"
    style = _STYLES.get(outcome)
    return (name, lesion, f"[{style}]{outcome.value}[/]" if style else outcome.value, *sizes)


def _format_sizes(size: Change, digits: int) -> str:
    """Both sizes; of a lesion that is absent in a study 0 there."""
    return " to ".join(
        "-" if one is None else "0" if one == 0 else f"{one:.{digits}f}"
        for one in (size.before, size.after)
    )


def _format_percent(size: Change) -> str:
    return "-" if size.percent is None else f"{format_percent(size.percent)} %"


def format_percent(percent: float) -> str:
    """A change with its sign, and without one where it rounds to nothing.

    Example:
        >>> format_percent(12.34), format_percent(-0.04), format_percent(0.0)
        ('+12.3', '0.0', '0.0')
    """
    return "0.0" if abs(percent) < 0.05 else f"{percent:+.1f}"


def format_doubling(days: float | None) -> str:
    """The time in which a volume doubles or halves, in words; "" where there is none.

    Example:
        >>> format_doubling(131.2), format_doubling(-131.2), format_doubling(1e9)
        ('131', 'halves in 131', 'over 10 years')
    """
    if days is None:
        return ""
    time = "over 10 years" if abs(days) > MOST_DAYS else f"{abs(days):.0f}"
    return f"halves in {time}" if days < 0 else time
