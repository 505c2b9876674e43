"""Reader targets: what several readers drew, turned into one target for each case of a plan."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.class_names import are_mixed, choose_classes, find_ignored
from medseg.datasets.own.find_cases import FoundCases
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.readers.agreement import Agreement, average
from medseg.datasets.own.readers.combine import MEAN, MODEL
from medseg.datasets.own.readers.join_readers import find_values, join_readers
from medseg.datasets.own.readers.split_bits import OPTION, count_readers, split_bits
from medseg.planning.task import Choice

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReaderTargets:
    """The cases of a plan whose targets were made of the labels of several readers.

    Attributes:
        cases: with a target each; where there are faults, as they were found.
        method: "consensus", "staple" or "mean"; None where each case has one label.
        values: every label value that a reader gave.
        agreement: reader against reader.
    """

    cases: FoundCases
    method: str | None = None
    values: Sequence[int] = ()
    agreement: Sequence[Agreement] = ()

    def adapt(self, choices: Sequence[Choice]) -> list[Choice]:
        """The choices of a plan; for soft labels with the layer that learns them."""
        if self.method != MEAN:
            return list(choices)
        layers = next(one for one in choices if one.key == "_layers_")
        soft = replace(
            layers,
            value=[*layers.value, "soft"],
            why=f"{layers.why}; the target is the mean of several readers",
        )
        return [soft if one is layers else one for one in choices]

    def summarise(self) -> dict[str, Any]:
        """How they were combined, how many cases each reader has, and how far two agree."""
        drawn = Counter(reader for pair in self.cases.pairs for reader in pair.readers)
        agreement = [
            {"class": label, "reader_a": a, "reader_b": b, "dice": dice, "cases": cases}
            for (label, a, b), (dice, cases) in average(self.agreement).items()
        ]
        return {"target": self.method, "cases": dict(sorted(drawn.items())), "agreement": agreement}

    def describe(self) -> list[str]:
        """The same as text, a line each."""
        found = self.summarise()
        counted = ", ".join(f"{reader} ({cases})" for reader, cases in found["cases"].items())
        return [
            f"target: {self.method} of the readers; cases of each: {counted}",
            *(
                "{class}: {reader_a} against {reader_b}: mean Dice {dice:.3f}, ".format(**row)
                + count_noun(row["cases"], "case")
                for row in found["agreement"]
            ),
        ]


def make_targets(
    cases: FoundCases,
    *,
    method: str | None,
    data: Path,
    name: str,
    out: Path,
    classes: Mapping[str, Sequence[int]] | None,
    as_bits: bool = False,
) -> ReaderTargets:
    """Write the target of each case; where a case is faulty none is, and the faults are added.

    Args:
        cases: as they were found.
        method: how readers are combined; None leaves the cases as they are.
        data: folder of the dataset; `name` of the bundle: see `choose_classes`.
        out: folder of the datalist.
        classes: class name -> label values; None for those that the data name.
        as_bits: whether one label of a case holds its readers as bits.

    Raises:
        ValueError: no case has labels of two readers, or no two readers share a voxel.
    """
    if method is None:
        return ReaderTargets(cases)
    if as_bits:
        cases = _split_bits(cases, out)
    labelled = [pair for pair in cases.pairs if pair.label is not None]
    held, faults = find_values(labelled)
    values = sorted(set().union({0}, *held))
    faults |= _find_taken_names(labelled)
    if faults or cases.faults or not labelled:
        others = [pair for pair in labelled if pair.case not in faults]
        return ReaderTargets(replace(cases, pairs=others, faults=[*cases.faults, *faults.values()]))
    if all(len(pair.readers) < 2 for pair in labelled):
        raise ValueError(
            "no case has labels of two readers: leave --readers out, correct the names of files, "
            f"or pass {OPTION} where one file holds them so"
        )
    if classes is None:
        classes = cases.classes or choose_classes(
            *(data, name, values), mixed=are_mixed(held), segments=cases.segments
        )
    ignored = [value for value in find_ignored(data) if value in values]
    made = join_readers(labelled, out, classes=classes, method=method, ignored=ignored)
    _warn_of_few(made.pairs)
    joined = replace(cases, pairs=made.pairs, classes=classes)
    return ReaderTargets(joined, method, values, made.agreement)


def warn_of_bits(values: Collection[int]) -> None:
    """Say that label values without names look like those of several readers in one file."""
    if readers := count_readers(values):
        logger.warning(
            "the labels hold values up to %d, which may be %d readers as bits and no structures: "
            "if so, pass --readers consensus %s",
            *(max(values), readers, OPTION),
        )


def _split_bits(cases: FoundCases, out: Path) -> FoundCases:
    if cases.rows:
        raise ValueError(
            f"{OPTION} is for label files, and these labels are of DICOM: leave it out"
        )
    if cases.faults:
        return cases
    labelled = [pair for pair in cases.pairs if pair.label is not None]
    pairs, faults = split_bits(labelled, out)
    bare = [pair for pair in cases.pairs if pair.label is None]
    return replace(cases, pairs=[*pairs, *bare], faults=faults)


def _find_taken_names(pairs: Sequence[Pair]) -> dict[str, str]:
    """Case -> what is wrong with the name of a reader that tables give to the network."""
    return {
        pair.case: f"case {pair.case}: a reader is called {MODEL!r} by the names of files, as "
        "tables call the network: rename them"
        for pair in pairs
        if MODEL in pair.readers
    }


def _warn_of_few(pairs: Sequence[Pair]) -> None:
    """Say which readers have a single case, whose names may be no readers'."""
    drawn = Counter(reader for pair in pairs for reader in pair.readers)
    few = [reader for reader, count in drawn.items() if count == 1]
    if few and max(drawn.values()) > 1:
        logger.warning(
            "readers of a single case: %s: look whether these names are those of readers",
            shorten_list(few),
        )
