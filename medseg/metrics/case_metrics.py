"""CaseMetrics: the scores of every case and class as CSV, with a summary of the set."""

import csv
import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Metric
from monai.engines.utils import IterationEvents

from medseg.base.files import set_aside, whole
from medseg.base.text import format_csv_cell
from medseg.metrics.case_scorer import CaseScorer
from medseg.metrics.lesions import list_lesion_columns, make_lesion_row
from medseg.metrics.set_scores import WholeSet

TABLES = ("metrics.csv", "metrics_summary.json", "lesions.csv")


class CaseMetrics:
    """Evaluator handler: scores each case after post-processing and keeps the tables up to date.

    `metrics.csv` has a row for each case and class, with the scores and the size of the class in
    truth and prediction; `metrics_summary.json` has the mean, standard
    deviation (of the population), median, minimum and maximum of each score over the `n` cases
    where it is finite. How many are `undefined` (nothing to find, nothing found) or `infinite`
    (distance to an empty mask) stands beside them: a method that finds nothing has a fine mean HD95
    over the few cases left. Under `set` it has what the cases give together, see `WholeSet`.
    `lesions.csv` has a row for each lesion, where these are scored. The files are rewritten after
    every case, so that a run that stops early leaves what it has.

    Args:
        output_dir: folder of the files.
        classes: names of the foreground classes, in order.
        tolerance: distance up to which two surfaces agree, in `unit`.
        unit: "mm" takes the voxel size from the affine of the label, and refuses a prediction that
            is not on its grid; "pixel" is for images without a known size.
        group: key of the case whose value is written beside it, for instance "patient".
        members: for each class the indices whose voxels belong to it, which overlap where classes
            are regions: `medseg.transforms.list_members(classes)`; None for its own index alone.
        ignore_label: class index of voxels that do not count: both masks, and objects, are
            background there, and a mask that reaches it has a surface there. None for none.
        thresholds: of the IoU, for the shares of cases and for objects, 0.5 or more and below 1.
        objects: whether to match the connected pieces of the predicted mask with those of the true
            one as objects; or the key of the case that holds the true objects, "instances" for
            instance, (1, *spatial) and numbered. Of these a class has what lies in its true mask.
        lesions: whether to score lesions: connected pieces of one mask that the other one touches.
        min_size: pieces of fewer voxels are neither objects nor lesions; numbered objects stay.
        connectivity: 1 if voxels of a piece share a face; None if an edge or a corner is enough.
        about: what is scored, such as the section and the bundle; for the summary.

    Raises:
        TypeError: a flag that is not a bool.
        ValueError: an unknown unit, a negative tolerance, no class, or another option out of range;
            when a case is scored, a prediction that is not on the grid of the label, a value that
            is no class index, or a case without the objects that `objects` names.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str],
        tolerance: float = 2.0,
        unit: str = "mm",
        group: str | None = None,
        members: Sequence[Sequence[int]] | None = None,
        ignore_label: int | None = None,
        thresholds: Sequence[float] = (0.5, 0.7, 0.9),
        objects: bool | str = False,
        lesions: bool = False,
        min_size: int = 1,
        connectivity: int | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.about = dict(about or {})
        self.scorer = CaseScorer(
            classes,
            tolerance=tolerance,
            unit=unit,
            members=members,
            ignore_label=ignore_label,
            thresholds=thresholds,
            objects=objects,
            lesions=lesions,
            min_size=min_size,
            connectivity=connectivity,
        )
        self.output_dir = Path(output_dir)
        self.group = group
        self._make_set = partial(
            WholeSet, classes, thresholds=thresholds, members=self.scorer.members
        )
        self._is_written = False
        self.forget()

    def forget(self) -> None:
        """Start anew, as before the first case."""
        self.rows: list[dict[str, Any]] = []
        self.lesion_rows: list[dict[str, Any]] = []
        self.whole_set = self._make_set()
        self.failures: dict[str, str] = {}

    def attach(self, engine: Engine) -> None:
        """Score after the post-processing, which runs when the model is done."""
        engine.add_event_handler(Events.STARTED, self.begin)
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def begin(self, engine: Engine) -> None:
        """Forget the cases of an earlier run, unless each case is a run, as in `run_cases`."""
        if not getattr(engine, "runs_single_cases", False):
            self.forget()

    def __call__(self, engine: Engine) -> None:
        """Add the rows of each case of the batch, and write."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            self._add(item, output["pred"], output["label"])
        self.write()

    def add_failure(self, case: str, reason: str) -> None:
        """Note a case that could not be scored, so that the summary does not hide it."""
        self.failures[case] = reason
        self.write()

    def list_columns(self) -> list[str]:
        """Names of the scores and sizes, in the order of the columns of `metrics.csv`."""
        head = ("case", "class", self.group)
        known = (name for row in self.rows for name in row if name not in head)
        return list(dict.fromkeys([*self.scorer.names, *known]))

    def write(self) -> None:
        """Write the tables of the cases so far, each whole or not at all.

        Tables of an earlier run are first given dated names.
        """
        if not self._is_written:
            for name in TABLES:
                set_aside(self.output_dir / name)
            self._is_written = True
        about = ["case", *([] if self.group is None else [self.group]), "class"]
        columns = [*about, *self.list_columns()]
        _write_csv(self.output_dir / "metrics.csv", self.rows, columns)
        if self.scorer.lesions:
            columns = [*about, *list_lesion_columns(self.scorer.unit)]
            _write_csv(self.output_dir / "lesions.csv", self.lesion_rows, columns)
        with whole(self.output_dir / "metrics_summary.json") as partial:
            partial.write_text(json.dumps(self.summarise(), indent=2) + "\n")

    def summarise(self) -> dict[str, Any]:
        """Failed cases with their reasons, the statistics, and the scores of the whole set.

        `about`: what is scored; `failed`: case -> reason; `classes`: class -> score or size -> n,
        undefined, infinite, mean, std, median, min and max; `set`: see `WholeSet`.
        """
        classes = {
            c: {
                n: _compute_statistics([r[n] for r in self.rows if r["class"] == c and n in r])
                for n in self.list_columns()
            }
            for c in self.scorer.classes
        }
        whole_set = self.whole_set.summarise()
        about = {"about": self.about} if self.about else {}
        return {**about, "failed": self.failures, "classes": classes, "set": whole_set}

    def _add(self, item: Any, pred: torch.Tensor, label: torch.Tensor) -> None:
        """Add a case, or nothing of it if it cannot be scored."""
        about = {"case": item["case"]}
        if self.group is not None:
            about[self.group] = item[self.group]
        case = self.scorer.score(item, pred, label)
        self.whole_set.add(case.pred, case.label, case.results, counted=case.counted)
        for name, scores in case.scores.items():
            head = {**about, "class": name}
            self.rows.append({**head, **scores, **case.sizes[name]})
            for number, lesion in enumerate(case.results[name].lesions or [], start=1):
                row = make_lesion_row(lesion, case.spacing, number=number, unit=self.scorer.unit)
                self.lesion_rows.append({**head, **row})


def _write_csv(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=columns)
        table.writeheader()
        table.writerows(
            {k: _format_value(format_csv_cell(v)) for k, v in row.items()} for row in rows
        )


def _compute_statistics(values: Sequence[float]) -> dict[str, float | int | None]:
    known = [v for v in values if math.isfinite(v)]
    counts = {
        "n": len(known),
        "undefined": sum(map(math.isnan, values)),
        "infinite": sum(map(math.isinf, values)),
    }
    if not known:
        return {**counts, "mean": None, "std": None, "median": None, "min": None, "max": None}
    return {
        **counts,
        "mean": statistics.fmean(known),
        "std": statistics.pstdev(known),
        "median": statistics.median(known),
        "min": min(known),
        "max": max(known),
    }


def _format_value(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


class MeanCaseDice(Metric):
    """Key metric of an evaluator: the mean Dice of the cases that a `CaseMetrics` handler scored.

    It is the mean over classes of the mean over cases, as in the summary; a class without a score
    is left out, and without any score it is not a number.

    Args:
        scores: the handler, attached to the same evaluator.

    Example:
        >>> MeanCaseDice(scores).attach(evaluator, "mean_dice")  # doctest: +SKIP
    """

    def __init__(self, scores: CaseMetrics) -> None:
        super().__init__()
        self.scores = scores

    def reset(self) -> None:
        """Do nothing: the handler keeps the scores, and begins anew by itself."""

    def update(self, output: Any) -> None:
        """Do nothing: the handler has scored the case by now."""

    def compute(self) -> float:
        """The mean so far."""
        found = self.scores.summarise()["classes"].values()
        means = [each["dice"]["mean"] for each in found if each["dice"]["n"]]
        return statistics.fmean(means) if means else math.nan
