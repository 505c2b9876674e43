"""Choose network: one of two, or the mean of both, by scores of cases that neither has seen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medseg.bundles.crossval.gain import Gain, measure_gain

Rows = Sequence[Mapping[str, str]]

BOTH = "both"
"""What the mean of the probabilities of two networks is called."""


@dataclass(frozen=True)
class Choice:
    """How two networks and their mean score, and which of the three is chosen.

    Attributes:
        chosen: the name of one network, or `BOTH`.
        means: name -> mean Dice over the cases; that of the simpler network first.
        gains: (name, the one that it is compared with) -> the paired gain.
        cases: a row of scores of each case: `case`, `fold` and the Dice of each name.
    """

    chosen: str
    means: Mapping[str, float]
    gains: Mapping[tuple[str, str], Gain]
    cases: Sequence[Mapping[str, Any]]

    def list_rows(self) -> list[dict[str, Any]]:
        """The gains as rows of a table."""
        return [
            {
                **{"network": name, "against": against, "cases": len(self.cases)},
                **{"dice": self.means[name], "gain": round(gain.mean, 6)},
                **{"low": round(gain.low, 6), "high": round(gain.high, 6)},
                **{"better": gain.better, "worse": gain.worse, "gains": gain.holds},
            }
            for (name, against), gain in self.gains.items()
        ]


def choose_network(simple: str, other: str, tables: Mapping[str, Rows]) -> Choice:
    """Choose between two networks and their mean.

    The simpler network stays unless the other one gains, see `Gain.holds`. Both are used where
    their mean gains over each of them.

    Args:
        simple: name of the network with fewer weights.
        other: name of the other one.
        tables: name, or `BOTH` -> the rows of `metrics.csv` of all folds.

    Raises:
        ValueError: they are not of the same cases.
    """
    cases = score_same_cases({name: tables[name] for name in (simple, other, BOTH)})
    pairs = ((other, simple), (BOTH, simple), (BOTH, other))
    gains = {
        (name, against): measure_gain([row[name] - row[against] for row in cases])
        for name, against in pairs
    }
    chosen = other if gains[other, simple].holds else simple
    if gains[BOTH, simple].holds and gains[BOTH, other].holds:
        chosen = BOTH
    means = {name: _average([row[name] for row in cases]) for name in (simple, other, BOTH)}
    return Choice(chosen, means, gains, cases)


def score_same_cases(tables: Mapping[str, Rows]) -> list[dict[str, Any]]:
    """The Dice of each case, the mean over its classes, by each of several networks.

    A class that neither the label nor the prediction has counts 1 for a network, unless this is so
    for all of them: then the class is left out. A case without any class is left out.

    Args:
        tables: name of a network -> rows with `case`, `class`, `fold` and `dice`.

    Raises:
        ValueError: a case is not in all of them.

    Example:
        >>> row = {"case": "a", "class": "x", "fold": "0", "dice": "0.5"}
        >>> score_same_cases({"one": [row], "two": [{**row, "dice": ""}]})
        [{'case': 'a', 'fold': 0, 'one': 0.5, 'two': 1.0}]
    """
    found: dict[str, dict[tuple[str, int], dict[str, float]]] = {}
    for name, rows in tables.items():
        dice: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        for row in rows:
            dice[row["case"], int(row["fold"])][row["class"]] = float(row["dice"] or "nan")
        found[name] = dice
    first = next(iter(found.values()))
    for name, scored_cases in found.items():
        if odd := sorted(first.keys() ^ scored_cases.keys()):
            raise ValueError(
                f"case {odd[0][0]} of fold {odd[0][1]} is scored by {next(iter(found))} and not by "
                f"{name}, or the other way round: cross-validate both on the same list of cases"
            )
    scored = []
    for case, fold in first:
        each = {name: of_case[case, fold] for name, of_case in found.items()}
        if means := _average_classes(each):
            scored.append({"case": case, "fold": fold, **means})
    return scored


def _average(dice: Sequence[float]) -> float:
    return round(float(np.mean(dice)), 6) if dice else 0.0


def _average_classes(dice: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over classes by name; nothing where no network has a score of any class."""
    labels = list(dict.fromkeys(label for scores in dice.values() for label in scores))
    known = [
        label
        for label in labels
        if any(math.isfinite(scores.get(label, math.nan)) for scores in dice.values())
    ]
    if not known:
        return {}
    return {
        name: float(np.mean([_count_empty(scores.get(label, math.nan)) for label in known]))
        for name, scores in dice.items()
    }


def _count_empty(dice: float) -> float:
    return dice if math.isfinite(dice) else 1.0
