"""Table: what an evaluation found of each class, a row each, for the console; a line for a case."""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from statistics import fmean
from typing import Any

from rich.table import Table
from rich.text import Text

from medseg.base.statistics.interval import find_interval
from medseg.base.text import escape_unprintable

_MISSING = "-"
_HEADINGS = {"iou": "\nIoU", "object_score": "object\nscore", "lesion_f1": "lesion\nF1"}
_STARTS = {
    "hd95": "HD95\n{}",
    "surface_dice": "surface\nDice",
    "true": "truth\n{}",
    "predicted": "predicted\n{}",
}
_UNITS = {"ml": "mL", "pixel": "pixels"}
_CAPTION = "Means over the cases that have the score; of HD95 the median."

_MOST_CLASSES = 6
"""So many have their Dice in the line of a case; of more the mean is told, and the lowest."""


def describe_dice(scores: Mapping[str, float]) -> str:
    """The Dice of one case for its line in the log.

    Args:
        scores: class -> Dice, not a number where the class is in neither mask.

    Example:
        >>> describe_dice({"liver": 0.95, "tumour": float("nan")})
        'Dice liver 0.950, tumour absent'
    """
    known = {name: dice for name, dice in scores.items() if not isnan(dice)}
    if not known:
        return "no class in truth or prediction"
    if len(scores) <= _MOST_CLASSES:
        return "Dice " + ", ".join(f"{name} {_format_dice(each)}" for name, each in scores.items())
    low = min(known, key=lambda name: known[name])
    return (
        f"mean Dice {fmean(known.values()):.3f} of {len(known)} classes, lowest {low} "
        f"{known[low]:.3f}"
    )


def _format_dice(dice: float) -> str:
    return "absent" if isnan(dice) else f"{dice:.3f}"


def make_table(
    classes: Mapping[str, Mapping[str, Any]], dice: Mapping[str, Sequence[float]]
) -> Table:
    """Number of cases, mean Dice with its interval and median, other scores and sizes.

    A distance is a median, since its mean leaves out what was not found; how often it is infinite
    stands beside it. All others are means.

    Args:
        classes: class -> score or size -> its statistics, as `CaseMetrics.summarise` gives them.
        dice: class -> that of each case.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.caption, table.caption_justify = _CAPTION, "left"
    table.add_column("\nclass", no_wrap=True)
    names = [name for name in next(iter(classes.values())) if _name_column(name)]
    for heading in (
        "\ncases",
        "Dice mean\n(95 % interval)",
        "Dice\nmedian",
        *map(_name_column, names),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, scores in classes.items():
        found = scores["dice"]
        cells = [str(found["n"]), _format_mean(dice[name]), _format(found["median"])]
        cells += [_format_column(column, scores[column]) for column in names]
        table.add_row(Text(escape_unprintable(name)), *cells)
    return table


def _name_column(name: str) -> str:
    """The heading of a score or size; "" if it has no column of its own."""
    if name in _HEADINGS:
        return _HEADINGS[name]
    start, _, end = name.rpartition("_")
    return _STARTS[start].format(_UNITS.get(end, end)) if start in _STARTS else ""


def _format_column(name: str, found: Mapping[str, Any]) -> str:
    if not name.startswith("hd95_"):
        return _format(found["mean"])
    infinite = f" ({found['infinite']} inf)" if found["infinite"] else ""
    return f"{_format(found['median'])}{infinite}"


def _format_mean(values: Sequence[float]) -> str:
    """The mean of those that are numbers, of two or more with its interval."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return _MISSING
    interval = "" if len(known) < 2 else " ({:.3f} to {:.3f})".format(*find_interval(known))
    return f"{fmean(known):.3f}{interval}"


def _format(value: float | None) -> str:
    """Three digits behind the point below 10, one below 1000, none above."""
    if value is None:
        return _MISSING
    return f"{value:.{3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0}f}"
