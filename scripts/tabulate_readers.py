"""Tabulate readers: reader against reader and model against reader, with intervals over patients.

python scripts/tabulate_readers.py SCORES/readers.csv --patients 'p([0-9]+)_'

The table is in Markdown, of each class: every pair of the file that `medseg evaluate` wrote, and
the means of a case over its pairs, which weigh each case alike. Intervals of 95 % are percentiles
of 2000 means of patients drawn again with replacement, since cases of one patient are alike.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

RESAMPLES = 2000
MODEL = "model"
TO_READERS, BETWEEN_READERS = "model against its readers", "readers against each other"
HEAD = ("class", "pair", "cases", "patients", "mean Dice", "95 % interval")


def tabulate(rows: Sequence[Mapping[str, str]], patients: str, *, seed: int = 0) -> list[list[str]]:
    """A line for each class and pair, then for the means of a case and what the model lacks.

    Args:
        rows: of readers.csv.
        patients: a regular expression whose first group, in the name of a case, is its patient.
        seed: of the intervals.
    """
    lines = []
    for label in dict.fromkeys(row["class"] for row in rows):
        found = collect([row for row in rows if row["class"] == label and row["dice"]])
        both = found[TO_READERS].keys() & found[BETWEEN_READERS].keys()
        found["difference of the two"] = {
            case: found[TO_READERS][case] - found[BETWEEN_READERS][case] for case in sorted(both)
        }
        for pair, dice in found.items():
            if dice:
                lines.append([label, pair, *describe(dice, patients, seed=seed)])
    return lines


def collect(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, float]]:
    """Pair -> case -> Dice; the means of a case come last."""
    pairs: defaultdict[str, dict[str, float]] = defaultdict(dict)
    means: dict[str, defaultdict[str, list[float]]] = {
        name: defaultdict(list) for name in (TO_READERS, BETWEEN_READERS)
    }
    for row in rows:
        pairs[f"{row['reader_a']} against {row['reader_b']}"][row["case"]] = float(row["dice"])
        kind = TO_READERS if row["reader_a"] == MODEL else BETWEEN_READERS
        means[kind][row["case"]].append(float(row["dice"]))
    averaged = {
        name: {case: statistics.fmean(dice) for case, dice in of_cases.items()}
        for name, of_cases in means.items()
    }
    return {**dict(sorted(pairs.items())), **averaged}


def describe(dice: Mapping[str, float], patients: str, *, seed: int) -> list[str]:
    """Number of cases and patients, mean and interval."""
    of_patient: defaultdict[str, list[float]] = defaultdict(list)
    for case, value in dice.items():
        of_patient[find_patient(case, patients)].append(value)
    low, high = find_interval(list(of_patient.values()), seed=seed)
    mean = statistics.fmean(dice.values())
    return [str(len(dice)), str(len(of_patient)), f"{mean:.3f}", f"{low:.3f} to {high:.3f}"]


def find_patient(case: str, patients: str) -> str:
    """The patient in the name of a case."""
    match = re.search(patients, case)
    if match is None:
        raise ValueError(f"--patients {patients} finds no patient in case {case}: correct it")
    return match[1]


def find_interval(groups: Sequence[Sequence[float]], *, seed: int) -> tuple[float, float]:
    """The interval of the mean over all values, with whole groups drawn again."""
    sums = np.array([sum(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    drawn = np.random.default_rng(seed).integers(len(groups), size=(RESAMPLES, len(groups)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), (2.5, 97.5))
    return float(low), float(high)


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--patients", default="(.*)", help="group: the patient in a case's name")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    with given.table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for line in (HEAD, ["---"] * len(HEAD), *tabulate(rows, given.patients, seed=given.seed)):
        print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main()
