"""Choose parts: for which classes cleaning the parts of a mask helps, by out-of-fold scores."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medseg.bundles.crossval.gain import measure_gain

_AS_IT_IS = ("all", "0")


@dataclass(frozen=True)
class ChosenRule:
    """What was chosen for a class, and by what it gains.

    Attributes:
        label: the class.
        key: "largest_only", "smallest_part" or "fill_holes".
        value: the size, of "smallest_part"; None otherwise.
        gain: of the mean Dice over all cases.
        low: lower end of the 95 % interval of the gain.
        better, worse: how many cases gain and lose.
    """

    label: str
    key: str
    value: float | None
    gain: float
    low: float
    better: int
    worse: int


def choose_parts(rows: Sequence[Mapping[str, str]]) -> list[ChosenRule]:
    """Choose the rules that help, from the rows of `part_rules.csv` of all folds.

    Of the rules on which parts are kept the one with the largest mean Dice is tried, and holes by
    themselves. A rule is taken where it gains, see `Gain.holds`.

    Example:
        >>> choose_parts([])
        []
    """
    found: defaultdict[str, dict[tuple[str, str], dict[str, float]]] = defaultdict(dict)
    for row in rows:
        rule = found[row["class"]].setdefault((row["keep"], row["fill"]), {})
        rule[f"{row['fold']} {row['case']}"] = float(row["dice"])
    chosen = []
    for label, rules in found.items():
        before = rules[_AS_IT_IS]
        kept = {keep: dice for (keep, fill), dice in rules.items() if fill == "0" and keep != "all"}
        best = max(kept, key=lambda keep: _average(kept[keep]), default=None)
        if best is not None:
            key, value = ("largest_only", None) if best == "largest" else ("smallest_part", best)
            chosen += _judge(label, key, value, before, kept[best])
        if ("all", "1") in rules:
            chosen += _judge(label, "fill_holes", None, before, rules["all", "1"])
    return chosen


def list_keys(chosen: Sequence[ChosenRule]) -> dict[str, Any]:
    """The keys of a bundle that the rules stand for; those without a rule are empty."""
    named: dict[str, list[str]] = {"largest_only": [], "fill_holes": []}
    sizes: dict[str, float] = {}
    for rule in chosen:
        if rule.value is None:
            named[rule.key].append(rule.label)
        else:
            sizes[rule.label] = rule.value
    return {**named, "smallest_part": sizes}


def _average(dice: Mapping[str, float]) -> float:
    known = [value for value in dice.values() if math.isfinite(value)]
    return float(np.mean(known)) if known else 0.0


def _judge(
    label: str,
    key: str,
    value: str | None,
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> list[ChosenRule]:
    gains = [
        after[case] - before[case]
        for case in before
        if math.isfinite(before[case]) and math.isfinite(after.get(case, math.nan))
    ]
    gain = measure_gain(gains)
    if not gain.holds:
        return []
    size = None if value is None else float(value)
    return [ChosenRule(label, key, size, gain.mean, gain.low, gain.better, gain.worse)]
