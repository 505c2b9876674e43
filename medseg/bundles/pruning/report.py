"""Prune report: accuracy and cost of every level, as CSV, JSON, Markdown and a plot."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from medseg.base.files import set_aside, whole
from medseg.networks.analysis.cost import Cost

ALL_HEADS = "all"
"""Name of the row of the unpruned network, whose logits are the mean of its heads."""

CSV, JSON, PLOT = "prune.csv", "prune.json", "prune.png"
_HEADINGS = [
    *("level", "IoU %", "Dice %", "parameters", "multiply-adds", "time", "of last", "peak memory")
]
_CAPTION = (
    "Time and memory are those of one window; of last: compared with the deepest level;\n"
    f"{ALL_HEADS}: the mean of all heads, without pruning."
)
_ROOM_BELOW = 0.15
"""Space that a point needs below it for its name, as a share of the best IoU."""

_INK, _BLUE, _RED = "#22303c", "#1f6a8c", "#c8553d"


class Row(NamedTuple):
    """One level: its mean scores over the classes, and what a pass over one window costs."""

    level: str
    iou: float
    dice: float
    cases: int
    parameters: int
    multiply_adds: int
    seconds: float
    peak_mib: float

    @classmethod
    def make(cls, level: str, scores: Mapping[str, float], cost: Cost) -> Row:
        """The row of a level with these scores (`iou`, `dice`, `cases`) and this cost."""
        return cls(level, scores["iou"], scores["dice"], int(scores["cases"]), *cost)


def write(
    report_dir: Path, rows: Sequence[Row], *, chosen: str, about: Mapping[str, Any]
) -> list[Path]:
    """Write `prune.csv`, `prune.json` and `prune.png`; those of an earlier run get dated names.

    Args:
        report_dir: folder, made if absent.
        rows: one per level, in order, `ALL_HEADS` last.
        chosen: the level that is exported.
        about: what was run: bundle, cases, machine, command; `tolerance_points` is drawn.
    """
    paths = [report_dir / name for name in (CSV, JSON, PLOT)]
    for path in paths:
        set_aside(path)
    with whole(paths[0]) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(Row._fields)
        table.writerows(rows)
    with whole(paths[1]) as partial:
        levels = [row._asdict() for row in rows]
        content = {**about, "chosen": chosen, "levels": levels}
        partial.write_text(json.dumps(content, indent=2) + "\n")
    with whole(paths[2]) as partial:
        draw(rows, partial, chosen=chosen, tolerance=about["tolerance_points"])
    return paths


def format_table(rows: Sequence[Row], *, chosen: str) -> str:
    """The table for a model card; time and multiply-adds also as fractions of the last level's."""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS)]
    for level, *cells in _list_cells(rows):
        lines.append([f"**{level}**" if level == chosen else level, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def make_table(rows: Sequence[Row], *, chosen: str) -> Table:
    """The same for the console; the level that is exported is marked."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    table.add_column()
    table.caption, table.caption_justify = _CAPTION, "left"
    for level, *cells in _list_cells(rows):
        is_chosen = level == chosen
        mark = "exported" if is_chosen else ""
        table.add_row(level, *cells, mark, style="bold" if is_chosen else None)
    return table


def _list_cells(rows: Sequence[Row]) -> list[list[str]]:
    last = next(row for row in reversed(rows) if row.level != ALL_HEADS)
    return [
        [
            row.level,
            *(f"{100 * score:.2f}" for score in (row.iou, row.dice)),
            f"{row.parameters:,}",
            f"{row.multiply_adds / 1e9:.2f} G",
            _format_time(row.seconds),
            f"{row.seconds / last.seconds:.0%}",
            f"{row.peak_mib:.0f} MiB",
        ]
        for row in rows
    ]


def draw(rows: Sequence[Row], path: Path, *, chosen: str, tolerance: float) -> None:
    """Draw IoU against latency: the levels on a line, the chosen one filled, the tolerance a band.

    Matplotlib is imported here only, because that takes time.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    levels = [row for row in rows if row.level != ALL_HEADS]
    best = max(100 * row.iou for row in levels)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(
        max(0, best - tolerance),
        best,
        color=_BLUE,
        alpha=0.12,
        lw=0,
        label=f"within {tolerance:g} points",
    )
    axes.plot([1000 * r.seconds for r in levels], [100 * r.iou for r in levels], color=_BLUE, lw=1)
    for row in rows:
        colour = _INK if row.level == ALL_HEADS else _RED if row.level == chosen else _BLUE
        face = colour if row.level == chosen else "white"
        place = 1000 * row.seconds, 100 * row.iou
        label = "exported" if row.level == chosen else None
        axes.plot(
            *place, "o", ms=8, mec=colour, mfc=face, mew=1.6, ls="", label=label, clip_on=False
        )
        is_low = (
            100 * row.iou <= _ROOM_BELOW * best
        )  # below it would lie on the numbers of the axis
        name, above = (
            ("all heads", 9 if is_low else -17) if row.level == ALL_HEADS else (row.level, 9)
        )
        axes.annotate(
            name, place, (0, above), textcoords="offset points", ha="center", color=colour
        )
    axes.set(xlabel="latency of one window, ms", ylabel="mean IoU, %")
    axes.set_xlim(0, 1180 * max(row.seconds for row in rows))
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axes.margins(y=0.15)
    low, high = axes.get_ylim()
    axes.set_ylim(max(0, low), high if best else 1)  # no IoU is below 0
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower right", ncols=2, frameon=False)  # inside it looks like data
    figure.savefig(path, dpi=150)


def _format_time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def format_card(
    name: str, rows: Sequence[Row], *, chosen: str, about: Mapping[str, Any], note: str
) -> str:
    """The model card of a pruned bundle."""
    shape = "x".join(map(str, about["window"][2:]))
    command = shlex.join(("medseg", "prune", "-b", about["folder"], "-o", about["out"]))
    arguments = f" {about['arguments']}" if about["arguments"] else ""
    return f"""# {name}

This is {note}. Task, data, licence and limits are those of
`{about["bundle"]}`, see its model card.

{format_table(rows, chosen=chosen)}

- IoU and Dice: means over the classes and {rows[0].cases} cases, section {about["section"]}, fold
  {about["fold"]} of {about["folds"]}, split seed {about["split_seed"]}.
- Time and peak memory: one window of {shape}, {about["device"]}, {about["threads"]} threads, the
  median of {about["repeats"]} passes in turns.
- all: the mean of all heads, the accurate mode of `{about["bundle"]}`.
- {chosen} is the smallest level within {about["tolerance_points"]:g} points of IoU of the best.
- SHA-256 of the weights before pruning: {about["weights_sha256"]}.

Made by medseg {about["versions"]["medseg"]}, torch {about["versions"]["torch"]}:

```bash
{command} --tolerance {about["tolerance_points"]:g} \\
    --repeats {about["repeats"]}{arguments}
```

For research. Not a medical device.
"""
