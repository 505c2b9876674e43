"""Reader scores: how far the model agrees with each reader of a case, and these with each other."""

import csv
import logging
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from medseg.base.files import set_aside, whole
from medseg.base.masks import compute_dice
from medseg.base.text import count_noun, format_csv_cell
from medseg.evaluation.gallery import find_last_rows
from medseg.metrics import CaseMetrics

logger = logging.getLogger(__name__)

FILE = "readers.csv"
COLUMNS = ("case", "class", "reader_a", "reader_b", "dice")
MODEL = "model"

TO_READERS, BETWEEN_READERS = "dice_to_readers", "dice_between_readers"
"""Scores of a case and class: the mean Dice of the model against its readers, and of these against
each other; not a number where no pair has a score."""


_Mask = tuple[str, NDArray[np.bool_]]
_Pair = tuple[_Mask, _Mask]


class ReaderScores:
    """Evaluator handler that scores the model against each reader of a case, and these likewise.

    `readers.csv` has a row for each pair, the model being the first of a pair. A pair that has no
    voxel of the class has an empty cell. The means of a case join its scores, see `TO_READERS`, so
    that they are in `metrics.csv` and its summary. Cases without readers are left as they are.
    Attach it after the handler of the scores.

    Args:
        scores: the handler that scores the cases.
        load: the class indices (1, *spatial) of a case's readers, such as
            `medseg.transforms.LoadReaders`.
        output_dir: folder of the table.

    Raises:
        ValueError: when a case is scored, a reader whose label is of another size.
    """

    def __init__(
        self,
        scores: CaseMetrics,
        *,
        load: Callable[[Mapping[str, Any]], Mapping[str, torch.Tensor]],
        output_dir: str | os.PathLike,
    ) -> None:
        self.scores = scores
        self.load = load
        self.path = Path(output_dir) / FILE
        self._rows: list[Sequence[Any]] = []
        self._is_written = False

    def attach(self, engine: Engine) -> None:
        """Compare each case once it is scored."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Add the pairs of each case of the batch, and write."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            if labels := self.load(item):
                self._add(str(item["case"]), output, labels)

    def describe(self) -> list[str]:
        """A line for each class: the model against readers, beside these where there are more."""
        lines = []
        for name in self.scores.scorer.classes:
            rows = [row for row in self.scores.rows if row["class"] == name]
            known = [row for row in rows if math.isfinite(row.get(TO_READERS, math.nan))]
            both = [row for row in known if math.isfinite(row[BETWEEN_READERS])]
            if known:
                lines.append(f"{name}: model against reader: {_describe(known, TO_READERS)}")
            if both:
                same = (
                    "" if len(both) == len(known) else f" (model there {_mean(both, TO_READERS)})"
                )
                lines[-1] += f"; reader against reader: {_describe(both, BETWEEN_READERS)}{same}"
        return lines

    def _add(
        self, case: str, output: Mapping[str, torch.Tensor], labels: Mapping[str, torch.Tensor]
    ) -> None:
        """Add the pairs of a case, and their means to its scores."""
        pred, true = (output[key][0].cpu().numpy() for key in ("pred", "label"))
        drawn = {reader: label[0].cpu().numpy() for reader, label in sorted(labels.items())}
        for reader, label in drawn.items():
            if label.shape != pred.shape:
                raise ValueError(
                    f"the label of reader {reader} of case {case} has the shape {label.shape} and "
                    f"its image {pred.shape}: give both on one grid"
                )
        ignored = self.scores.scorer.ignore_label
        counted = np.ones(true.shape, bool) if ignored is None else true != ignored
        for row, members in zip(
            find_last_rows(self.scores, case), self.scores.scorer.members, strict=True
        ):
            masks = [(name, np.isin(label, members) & counted) for name, label in drawn.items()]
            model = (MODEL, np.isin(pred, members) & counted)
            row[TO_READERS] = self._compare(row, ((model, mask) for mask in masks))
            row[BETWEEN_READERS] = self._compare(row, combinations(masks, 2))
        self._write()
        self.scores.write()

    def _compare(self, row: Mapping[str, Any], pairs: Iterable[_Pair]) -> float:
        """Add a row for each pair; the mean of those that have a score."""
        found = []
        for (a, first), (b, second) in pairs:
            found.append(compute_dice(first, second))
            self._rows.append((row["case"], row["class"], a, b, found[-1]))
        return _average(found)

    def _write(self) -> None:
        if not self._is_written:
            set_aside(self.path)
            self._is_written = True
        with whole(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for *names, dice in self._rows:
                shown = "" if math.isnan(dice) else round(dice, 6)
                writer.writerow([*map(format_csv_cell, names), shown])


def _average(dice: Sequence[float]) -> float:
    known = [value for value in dice if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan


def _mean(rows: Sequence[Mapping[str, Any]], score: str) -> str:
    return f"{statistics.fmean(row[score] for row in rows):.3f}"


def _describe(rows: Sequence[Mapping[str, Any]], score: str) -> str:
    return f"mean Dice {_mean(rows, score)} in {count_noun(len(rows), 'case')}"
