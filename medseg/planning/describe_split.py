"""Describe split: how the cases of a datalist are split, and whether its sets are too small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from medseg.base.text import count_noun, shorten_list

FEWEST_IN_FOLD = 3
FEWEST_FOR_TESTING = 5
"""Of fewer cases a mean score depends on one of them."""


def describe_split(datalist: Mapping[str, Any], *, empty: Collection[str] = ()) -> list[str]:
    """How many cases are for testing and in each fold; then a warning of each set that is small.

    Args:
        datalist: as `medseg.datasets.fold_split.read` returns it.
        empty: cases whose label holds background alone.

    Example:
        >>> cases = [{"fold": k % 2} for k in range(8)]
        >>> describe_split({"training": cases, "testing": [{}] * 5})
        ['13 cases: 5 for testing, and 8 in 2 folds of 4, each of which validates one training']
    """
    training, testing = datalist["training"], len(datalist["testing"])
    total = count_noun(len(training) + testing, "case")
    if not training:
        return [f"{total}: all are for testing, since too few patients are there to be split"]
    folds = Counter(item["fold"] for item in training)
    least, most = min(folds.values()), max(folds.values())
    size = f"{most}" if least == most else f"{least} to {most}"
    held = f"{testing} for testing" if testing else "none for testing"
    lines = [
        f"{total}: {held}, and {len(training)} in {count_noun(len(folds), 'fold')} of {size}, each "
        "of which validates one training"
    ]
    if least < FEWEST_IN_FOLD:
        lines.append(
            f"a fold for validation has only {count_noun(least, 'case')}: its scores depend on "
            "single cases, and so does the choice of the best weights"
        )
    lines += _describe_bare(training, empty)
    if testing < FEWEST_FOR_TESTING:
        lines.append(
            f"only {count_noun(testing, 'case')} for testing: the score on so few says little of "
            "new cases"
            if testing
            else "no case is for testing: no score will tell how good the network is on new cases"
        )
    return lines


def _describe_bare(training: Sequence[Mapping[str, Any]], empty: Collection[str]) -> Iterator[str]:
    """Folds without a label in any of their cases, on which nothing can be validated."""
    for fold in sorted({item["fold"] for item in training}):
        cases = [str(item.get("case", "")) for item in training if item["fold"] == fold]
        if set(cases) <= set(empty):
            yield (
                f"fold {fold} has no label in any case ({shorten_list(cases)}), and no training "
                "can be validated on it: pass another --seed to medseg new, or leave these out"
            )
