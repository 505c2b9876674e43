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

    `1 > 2` is lesion 1 of the earlier and 2 of the later study; the numbers are those of the
    measurements of each study.
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
    yield f"studies: {first} > {second}" + ("" if found.days is None else f", {found.days} days")
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
        names = ", ".join(f"{one.structure} {one.lesion}" for one in response.targets)
        after = "-" if response.sum_after_mm is None else f"{response.sum_after_mm:.1f}"
        yield f"targets: {names}; sum of long axes {response.sum_before_mm:.1f} > {after} mm"
    yield f"rule: {response.rule}"
    yield "for research: this is no assessment of a patient"


def _list_cells(change: LesionChange) -> tuple[str, ...]:
    name = escape(escape_unprintable(change.structure))
    sizes = (
        _format_sizes(change.volume_ml, 2),
        _format_percent(change.volume_ml),
        _format_sizes(change.long_axis_mm, 1),
        _format_percent(change.long_axis_mm),
        "-" if change.doubling_days is None else f"{change.doubling_days:.0f}",
    )
    if change.match is None:
        return (name, "all", "", *sizes)
    outcome = change.match.outcome
    sides = (change.match.before, change.match.after)
    lesion = " > ".join("+".join(map(str, side)) or "-" for side in sides)
    style = _STYLES.get(outcome)
    return (name, lesion, f"[{style}]{outcome.value}[/]" if style else outcome.value, *sizes)


def _format_sizes(size: Change, digits: int) -> str:
    shown = ("-" if one is None else f"{one:.{digits}f}" for one in (size.before, size.after))
    return " > ".join(shown)


def _format_percent(size: Change) -> str:
    return "-" if size.percent is None else f"{size.percent:+.1f} %"
