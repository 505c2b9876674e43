"""Pool: the scores of all folds together, with intervals."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medseg.base.files import whole
from medseg.base.statistics.interval import find_interval
from medseg.bundles.crossval.folds import Fold

_NO_SCORES = ("case", "class", "fold", "patient")


def read_tables(folds: Sequence[Fold], name: str) -> list[dict[str, str]]:
    """The rows of a table of all folds, each with its fold."""
    rows = []
    for fold in folds:
        with (fold.scores / name).open(newline="", encoding="utf-8") as file:
            rows += [{**row, "fold": str(fold.number)} for row in csv.DictReader(file)]
    return rows


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def summarise(rows: Sequence[Mapping[str, str]], *, seed: int = 0) -> dict[str, Any]:
    """Mean, 95 % interval, median and number of each score, by class.

    Cases whose score is not a number or infinite are left out of it and counted. The interval is of
    the mean over cases: it does not hold what another training or another split would change.

    Example:
        >>> rows = [{"case": c, "class": "x", "fold": "0", "dice": d} for c, d in ("a1", "b0")]
        >>> summarise(rows)["x"]["dice"]["mean"]
        0.5
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    scores = [name for name in columns if name not in _NO_SCORES]
    return {
        label: {
            name: _describe([row.get(name, "") for row in rows if row["class"] == label], seed)
            for name in scores
        }
        for label in dict.fromkeys(row["class"] for row in rows)
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary as JSON, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(json.dumps(summary, indent=2) + "\n")


def _describe(texts: Iterable[str], seed: int) -> dict[str, Any]:
    values = [_to_number(text) for text in texts]
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return {"n": 0, "left_out": len(values), "mean": None}
    low, high = find_interval(known, seed=seed)
    return {
        "n": len(known),
        "left_out": len(values) - len(known),
        "mean": round(float(np.mean(known)), 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "median": round(float(np.median(known)), 6),
    }


def _to_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
