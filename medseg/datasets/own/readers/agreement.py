"""Agreement: how far the readers of a case agree, reader against reader."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.base.class_values import Classes
from medseg.base.files import whole
from medseg.base.masks import compute_dice
from medseg.base.text import format_csv_cell

FILE = "readers.csv"
"""The table of all pairs, beside the datalist and among the scores of an evaluation."""


@dataclass(frozen=True)
class Agreement:
    """How far two readers of a case agree on a class.

    Attributes:
        case: its name.
        label: the class.
        reader_a, reader_b: the two, in the order of the alphabet.
        dice: 0 to 1; not a number where neither marked a voxel of the class.
    """

    case: str
    label: str
    reader_a: str
    reader_b: str
    dice: float


def compare_readers(
    case: str, labels: Mapping[str, NDArray[np.uint8]], classes: Classes
) -> list[Agreement]:
    """The Dice of each pair of readers of a case, for each class.

    Args:
        case: its name.
        labels: reader -> label values, on one grid.
        classes: class name -> label values.

    Example:
        >>> labels = {"a": np.array([1, 1, 0]), "b": np.array([0, 1, 0])}
        >>> round(compare_readers("c", labels, {"kidney": [1]})[0].dice, 3)
        0.667
    """
    found = []
    for name, values in classes.items():
        masks = {reader: np.isin(label, values) for reader, label in sorted(labels.items())}
        for (a, first), (b, second) in combinations(masks.items(), 2):
            found.append(Agreement(case, name, a, b, compute_dice(first, second)))
    return found


def average(rows: Iterable[Agreement]) -> dict[tuple[str, str, str], tuple[float, int]]:
    """(class, reader, reader) -> mean Dice and number of cases that have one.

    Example:
        >>> rows = [Agreement("c", "kidney", "a", "b", 0.5), Agreement("d", "kidney", "a", "b", 1)]
        >>> average(rows)
        {('kidney', 'a', 'b'): (0.75, 2)}
    """
    known: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if not isnan(row.dice):
            known[row.label, row.reader_a, row.reader_b].append(row.dice)
    return {pair: (float(np.mean(dice)), len(dice)) for pair, dice in known.items()}


def write_agreement(path: Path, rows: Sequence[Agreement]) -> None:
    """Write the table, whole or not at all; a pair without a score has an empty cell."""
    with whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class" if one.name == "label" else one.name for one in fields(Agreement)])
        for row in rows:
            *names, dice = astuple(row)
            shown = "" if isnan(dice) else round(dice, 6)
            writer.writerow([*map(format_csv_cell, names), shown])
