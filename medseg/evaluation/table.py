"""Table: what an evaluation found of each class, a row each, for the console."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

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
_CAPTION = "Means over the cases that have the score, but HD95: its median."


def make_table(classes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Number of cases, mean Dice with its standard deviation and median, other scores and sizes.

    A distance is a median, since its mean leaves out what was not found; how often it is infinite
    stands beside it. All others are means.

    Args:
        classes: class -> score or size -> its statistics, as `CaseMetrics.summarise` gives them.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.caption, table.caption_justify = _CAPTION, "left"
    table.add_column("\nclass", no_wrap=True)
    names = [name for name in next(iter(classes.values())) if _name_column(name)]
    for heading in ("\ncases", "Dice\nmean (sd)", "Dice\nmedian", *map(_name_column, names)):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, scores in classes.items():
        dice = scores["dice"]
        cells = [str(dice["n"]), _format_spread(dice), _format(dice["median"])]
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


def _format_spread(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return _MISSING
    return f"{found['mean']:.3f} ({found['std']:.3f})"


def _format(value: float | None) -> str:
    """Three digits behind the point below 10, one below 1000, none above."""
    if value is None:
        return _MISSING
    return f"{value:.{3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0}f}"
