"""Plan document: what `new` prints of the bundles that it made, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medseg.base.text import shorten_list
from medseg.bundles.catalogue.locate import name_folder
from medseg.bundles.own.made_bundle import MadeBundle, format_hours
from medseg.cli.output import say, say_json

SHORT_HOURS = 0.2
"""What is offered in the place of a longer training."""


def tell_bundles(made: Sequence[MadeBundle], datalist: Path, *, json: bool) -> None:
    """Say what was made, for a program or for a person."""
    if json:
        further = {"in_2d": _describe(made[1], datalist)} if made[1:] else {}
        say_json({**_describe(made[0], datalist), **further})
        return
    for one in made[:-1]:
        _print(one, datalist)
    _print(made[-1], datalist, then=_choose_next(made))


def _describe(made: MadeBundle, datalist: Path) -> dict[str, Any]:
    """What was found, planned and written, for a program."""
    planned = made.planned
    return {
        "bundle": str(made.folder.absolute()),
        "datalist": str(datalist.absolute()),
        "classes": planned.classes,
        "dicom": [list(row) for row in planned.dicom_rows],
        "fingerprint": {**asdict(planned.found), "anisotropy": planned.found.anisotropy},
        "plan": [
            {"key": one.key, "value": one.value, "why": one.why}
            for one in (*made.choices, *made.of_layers)
        ],
        "keys_of_task": [choice.key for choice in made.choices],
        "from_layers": [asdict(choice) for choice in made.of_layers],
        "doubts": [asdict(doubt) for doubt in planned.doubts],
        "notes": list(planned.notes),
        "readers": planned.readers.summarise() if planned.readers else None,
        "kept": made.kept,
        "step": None if made.cost is None else asdict(made.cost),
    }


def _choose_next(made: Sequence[MadeBundle]) -> str:
    """The commands that go on with new bundles, and how long they take where steps were tried."""
    named = [name_folder(one.folder) for one in made]
    if len(named) == 1:
        return f"medseg train -b {named[0]}{_describe_time(made[0])}"
    hours = sum(one.estimate_hours() * one.task["folds"] for one in made)
    long = f" (about {format_hours(hours)} here in all)" if hours else ""
    return (
        f"medseg crossval -b {named[1]}, then medseg crossval -b {named[0]} --against {named[1]}"
        f"{long}"
    )


def _describe_time(made: MadeBundle) -> str:
    """How long a training takes, with a shorter one if it is long; "" where no step was tried."""

    hours, given = made.estimate_hours(), made.task.get("hours")
    if isinstance(given, int | float):
        return f" (ends after {format_hours(given)}, as hours in task.json says)"
    if not hours:
        return ""
    shorter = f"; --hours {SHORT_HOURS:g} would end after {60 * SHORT_HOURS:.0f}"
    return f" (about {format_hours(hours)} here{shorter if hours > SHORT_HOURS else ''})"


def _print(made: MadeBundle, datalist: Path, *, then: str = "") -> None:
    """The same for a person: each choice with its reason, and what to run next."""
    planned = made.planned
    if planned.dicom_rows:
        _print_table(("case", "series", "object or channel", "names"), planned.dicom_rows)
    _print_choices(made)
    say(f"{planned.found.cases} cases: {datalist}")
    for line in planned.readers.describe() if planned.readers else ():
        say(line)
    for number, line in enumerate(made.describe_split()):
        say(f"warning: {line}" if number else f"split: {line}")
    for line in made.describe_cost():
        say(line)
    for key, value in made.kept.items():
        say(f"kept: {key} = {value}")
    if planned.doubts:
        listed = shorten_list([f"{one.case} ({one.finding})" for one in planned.doubts])
        say(f"look at these cases first: {listed}")
    say(f"the plan with pictures: {made.page}")
    say(f"bundle: {made.folder}" + (f"; next: {then}" if then else ""))


def _print_choices(made: MadeBundle) -> None:
    """The keys of the task file, and what it leaves to the layers with how to change that."""
    build = f"medseg bundles build {name_folder(made.folder)}"
    say(f"keys of task.json: change them there, then {build}")
    rows = [(one.key, str(one.value), one.why) for one in made.choices]
    _print_table(("key", "value", "why"), rows)
    say(f"from the layers: to change one, write what is said into task.json, then {build}")
    further = [
        (one.key, str(one.value), f"{one.why}\nto change it: {one.change}")
        for one in made.of_layers
    ]
    _print_table(("key", "value", "why"), further)


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
