"""Distribution: how the scores of a class are spread over the cases, and how its sizes agree."""

import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medseg.base.files import whole
from medseg.base.text import count_noun, escape_unprintable
from medseg.metrics.sizes import read_sizes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DOTS_PER_INCH = (13, 4.6), 100
_NAMED = 3
"""Cases of the least Dice that are named, and drawn in another colour."""
_BLUE, _ORANGE, _INK = "#1f6a8c", "#d95f02", "#22303c"
_LETTERS = 170  # of a line below the plots
_LETTERS_OF_A_PART = 26
_ABSENT = "the class is in no truth and in no prediction"
_WIDE_RANGE = 100
"""Sizes are drawn on a logarithmic scale where the largest is so many times the least."""

Row = Mapping[str, Any]


def draw_distribution(rows: Sequence[Row], path: str | os.PathLike, *, title: str) -> None:
    """Draw the scores of a class; written whole or not at all.

    On the left the ratios (Dice, IoU, surface Dice), in the middle the distance, each with a point
    for every case over a box of the quartiles, whiskers to 1.5 times their range and the median. On
    the right the predicted size over the true one. The cases of the least Dice are
    named below, and orange in all three. A part for which no case has a value says so in its place.

    Args:
        rows: of the scores of one class, as `CaseMetrics` keeps them.
        path: of the PNG.
        title: of the picture.

    Raises:
        OSError: the file cannot be written.
        ValueError: no rows.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not rows:
        raise ValueError("a distribution needs the scores of a case: evaluate some first")
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        ratios, distance, sizes = figure.subplots(1, 3, width_ratios=[5, 2, 4])
        _draw_ratios(ratios, rows)
        _draw_distance(distance, rows)
        _draw_sizes(sizes, rows)
        figure.suptitle(_protect(title))
        if worst := find_worst(rows):
            named = ", ".join(f"{row['case']} {row['dice']:.3f}" for row in worst)
            text = textwrap.fill(f"least Dice (orange): {named}", _LETTERS)
            figure.supxlabel(_protect_lines(text), x=0.01, ha="left", fontsize=9, color=_INK)
        with whole(path) as partial:
            figure.savefig(partial, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})


def find_worst(rows: Sequence[Row]) -> list[Row]:
    """The cases of the least Dice, the worst first."""
    scored = [row for row in rows if np.isfinite(row["dice"])]
    return sorted(scored, key=rank_case)[:_NAMED]


def rank_case(row: Row) -> tuple[float, float]:
    """What puts the worst case first: least Dice, then the largest size."""
    return float(row["dice"]), -max(read_sizes(row)[:2])


def _draw_ratios(axes: "Axes", rows: Sequence[Row]) -> None:
    surface = next(name for name in rows[0] if name.startswith("surface_dice_"))
    tolerance = re.sub(r"([a-z]+)$", r" \1", surface.removeprefix("surface_dice_"))
    absent = sum(np.isnan(row["dice"]) for row in rows)
    if absent == len(rows):
        _say_none(axes, "overlap", f"No case has a score: {_ABSENT}.")
        return
    names = {"dice": "Dice", "iou": "IoU", surface: f"surface Dice\nat {tolerance}"}
    for place, name in enumerate(names):
        _draw_box(axes, rows, name, place)
    axes.set_xticks(range(len(names)), list(names.values()))
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(-0.03, 1.03)
    note = f"; {absent} without the class" if absent else ""
    axes.set_title(f"overlap of {count_noun(len(rows) - absent, 'case')}{note}")
    axes.grid(axis="y", alpha=0.3)


def _draw_distance(axes: "Axes", rows: Sequence[Row]) -> None:
    name = next(name for name in rows[0] if name.startswith("hd95_"))
    infinite = int(sum(np.isinf(row[name]) for row in rows))
    if not any(np.isfinite(row[name]) for row in rows):
        reason = f"in {count_noun(infinite, 'case')} one of the two masks is empty"
        _say_none(axes, "distance", f"No case has an HD95: {reason if infinite else _ABSENT}.")
        return
    _draw_box(axes, rows, name, 0)
    unit = name.removeprefix("hd95_")
    axes.set_xticks([0], [f"HD95 in {unit if unit == 'mm' else 'pixels'}"])
    note = f"; {infinite} infinite\n(one mask empty)" if infinite else ""
    axes.set_title(f"distance{note}")
    axes.set_xlim(-0.5, 0.5)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)


def _draw_box(axes: "Axes", rows: Sequence[Row], name: str, place: int) -> None:
    known = [row for row in rows if np.isfinite(row[name])]
    values = np.array([row[name] for row in known], dtype=float)
    axes.boxplot(
        [values],
        positions=[place],
        widths=0.5,
        showfliers=False,
        medianprops={"color": _INK, "linewidth": 2},
    )
    spread = np.random.default_rng(0).uniform(-0.12, 0.12, len(known))
    _draw_points(axes, place + spread, values, known, worst=find_worst(rows))


def _draw_points(
    axes: "Axes", x: np.ndarray, y: np.ndarray, rows: Sequence[Row], *, worst: Sequence[Row]
) -> None:
    colours = [_ORANGE if any(row is each for each in worst) else _BLUE for row in rows]
    axes.scatter(x, y, s=20, c=colours, alpha=0.6, linewidths=0, zorder=3, clip_on=False)


def _draw_sizes(axes: "Axes", rows: Sequence[Row]) -> None:
    pairs = np.array([read_sizes(row)[:2] for row in rows], dtype=float)
    unit = read_sizes(rows[0])[2]
    if not pairs.any():
        _say_none(axes, "size", f"All sizes are 0: {_ABSENT}.")
        return
    positive = pairs[pairs > 0]
    if len(positive) and positive.max() > _WIDE_RANGE * positive.min():
        least = 10 ** np.floor(np.log10(positive.min()))
        for set_scale in (axes.set_xscale, axes.set_yscale):
            set_scale("symlog", linthresh=least, linscale=0.3)  # 0 is a size, too
    largest = 1.05 * pairs.max()
    axes.plot([0, largest], [0, largest], color="tab:gray", linestyle="--", linewidth=1)
    _draw_points(axes, pairs[:, 0], pairs[:, 1], rows, worst=find_worst(rows))
    axes.set_xlim(0, largest)
    axes.set_ylim(0, largest)
    axes.set_aspect("equal")
    axes.set_xlabel(f"truth in {unit}")
    axes.set_ylabel(f"prediction in {unit}")
    axes.set_title("size; on the dashed line both are equal")
    axes.grid(alpha=0.3)


def _say_none(axes: "Axes", title: str, sentence: str) -> None:
    """A part without axes, which would show a range that no value has."""
    axes.set_axis_off()
    axes.set_title(title)
    words = textwrap.fill(sentence, _LETTERS_OF_A_PART)
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=_INK)


def _protect_lines(text: str) -> str:
    return "\n".join(map(_protect, text.splitlines()))


def _protect(text: str) -> str:
    """Text as it stands: a $ begins a formula in Matplotlib."""
    return escape_unprintable(text).replace("$", r"\$")
