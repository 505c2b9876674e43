"""Case metrics: Dice, IoU, HD95 and surface Dice of every case and class, as CSV with a summary."""

import csv
import json
import logging
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.engines.utils import IterationEvents
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from medseg.files import set_aside, whole
from medseg.geometry import Geometry

logger = logging.getLogger(__name__)

SCORES = ("dice", "iou", "hd95", "surface_dice")
UNITS = ("mm", "pixel")


class CaseMetrics:
    """Evaluator handler: scores each case after post-processing and keeps the tables up to date.

    `metrics.csv` has a row for each case and class; `metrics_summary.json` has the mean, standard
    deviation (of the population), median, minimum and maximum of each score over the `n` cases
    where it is finite. How many are `undefined` (nothing to find, nothing found) or `infinite`
    (distance to an empty mask) stands beside them: a method that finds nothing has a fine mean HD95
    over the few cases left. Both files are rewritten after every case, so that a run that stops
    early leaves what it has.

    Args:
        output_dir: folder of the two files.
        classes: names of the foreground classes, in order.
        tolerance: distance up to which two surfaces agree, in `unit`.
        unit: "mm" takes the voxel size from the affine of the label, and refuses a prediction that
            is not on its grid; "pixel" is for images without a known size.
        group: key of the case whose value is written beside it, for instance "patient".

    Raises:
        ValueError: an unknown unit, a negative tolerance, no class; when a case is scored, a
            prediction that is not on the grid of the label.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str],
        tolerance: float = 2.0,
        unit: str = "mm",
        group: str | None = None,
    ) -> None:
        if unit not in UNITS or tolerance < 0 or not classes:
            raise ValueError(
                f"case metrics need a unit of {' or '.join(UNITS)}, a tolerance >= 0 and a class, "
                f"got {unit!r}, {tolerance} and {list(classes)}: correct them"
            )
        self.output_dir = Path(output_dir)
        self.classes = list(classes)
        self.tolerance = tolerance
        self.unit = unit
        self.group = group
        self.rows: list[dict[str, Any]] = []
        self.failures: dict[str, str] = {}
        self._is_written = False

    def attach(self, engine: Engine) -> None:
        """Score after the post-processing, which runs when the model is done."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Add the rows of each case of the batch, and write."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            rows = self._rows(item, output["pred"], output["label"])
            self.rows += rows
            for row in rows:
                logger.info("%s", ", ".join(f"{k} {_text(v)}" for k, v in row.items()))
        self.write()

    def add_failure(self, case: str, reason: str) -> None:
        """Note a case that could not be scored, so that the summary does not hide it."""
        self.failures[case] = reason
        self.write()

    def report(self) -> None:
        """Log the mean Dice of each class, and where the tables are."""
        for name, scores in self.summary()["classes"].items():
            dice = scores["dice"]
            if dice["n"]:
                logger.info("%s: mean Dice %.4f over %d cases", name, dice["mean"], dice["n"])
        logger.info("scores: %s", self.output_dir / "metrics.csv")

    def write(self) -> None:
        """Write the tables of the cases so far, each whole or not at all.

        Tables of an earlier run are first given dated names.
        """
        if not self._is_written:
            for name in ("metrics.csv", "metrics_summary.json"):
                set_aside(self.output_dir / name)
            self._is_written = True
        with (
            whole(self.output_dir / "metrics.csv") as partial,
            partial.open("w", newline="") as file,
        ):
            table = csv.DictWriter(file, fieldnames=self._columns())
            table.writeheader()
            table.writerows({k: _text(v) for k, v in row.items()} for row in self.rows)
        with whole(self.output_dir / "metrics_summary.json") as partial:
            partial.write_text(json.dumps(self.summary(), indent=2) + "\n")

    def summary(self) -> dict[str, Any]:
        """Failed cases with their reasons, and the statistics.

        `failed`: case -> reason; `classes`: class -> score -> n, undefined, infinite, mean, std,
        median, min and max.
        """
        names = [self._column(score) for score in SCORES]
        classes = {
            c: {n: _statistics([r[n] for r in self.rows if r["class"] == c]) for n in names}
            for c in self.classes
        }
        return {"failed": self.failures, "classes": classes}

    def _rows(self, item: Any, pred: torch.Tensor, label: torch.Tensor) -> list[dict[str, Any]]:
        spacing = _spacing_mm(pred, label, case=item["case"]) if self.unit == "mm" else None
        about = {"case": item["case"]}
        if self.group is not None:
            about[self.group] = item[self.group]
        predicted, true = pred[0].cpu().numpy(), label[0].cpu().numpy()
        rows = []
        for index, name in enumerate(self.classes, start=1):
            scores = score_case(
                predicted == index, true == index, spacing=spacing, tolerance=self.tolerance
            )
            named = {self._column(score): value for score, value in scores.items()}
            rows.append({**about, "class": name, **named})
        return rows

    def _columns(self) -> list[str]:
        group = [] if self.group is None else [self.group]
        return ["case", *group, "class", *map(self._column, SCORES)]

    def _column(self, score: str) -> str:
        if score == "hd95":
            return f"hd95_{self.unit}"
        return f"surface_dice_{self.tolerance:g}{self.unit}" if score == "surface_dice" else score


def score_case(
    pred: np.ndarray,
    label: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    tolerance: float = 2.0,
) -> dict[str, float]:
    """Scores of one binary mask against another.

    Dice, IoU and surface Dice are 0 and HD95 is infinite when one of the two is empty; all four are
    not a number, and thus left out of every mean, when both are: there is nothing to find and
    nothing was found.

    Args:
        pred, label: boolean arrays of one shape, 2D or 3D.
        spacing: size of a voxel along each axis; None means 1.
        tolerance: distance up to which two surfaces agree, in the unit of `spacing`.

    Returns:
        `dice`, `iou`, `hd95` (the larger of the two directed 95th percentiles of the distances
        between the surfaces, in the unit of `spacing`) and `surface_dice` (Nikolov et al. 2018). A
        surface is made of the mask's voxels that touch its outside by a face, and each counts as
        one, whatever its area, as in MONAI.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> score_case(np.array([[1, 1, 0]]) > 0, np.array([[0, 1, 1]]) > 0)["dice"]
        0.5
    """
    if pred.shape != label.shape:
        raise ValueError(
            f"prediction and label differ in shape, {pred.shape} and {label.shape}: "
            "bring both to the same grid"
        )
    both, total = np.count_nonzero(pred & label), np.count_nonzero(pred) + np.count_nonzero(label)
    if total == 0:
        return dict.fromkeys(SCORES, math.nan)
    scores = {"dice": 2 * both / total, "iou": both / (total - both)}
    if not pred.any() or not label.any():
        return {**scores, "hd95": math.inf, "surface_dice": 0.0}
    return {**scores, **_surface_scores(pred, label, spacing, tolerance)}


def _surface_scores(
    pred: np.ndarray, label: np.ndarray, spacing: Sequence[float] | None, tolerance: float
) -> dict[str, float]:
    """HD95 and surface Dice, on the bounding box of both masks with a voxel of margin."""
    box = _bounding_box(pred | label)
    y_pred, y = (torch.from_numpy(x[box].astype(np.uint8))[None, None] for x in (pred, label))
    step = [1.0] * pred.ndim if spacing is None else [float(x) for x in spacing]
    hd95 = compute_hausdorff_distance(
        y_pred, y, include_background=True, percentile=95, spacing=step
    )
    surface = compute_surface_dice(
        y_pred, y, class_thresholds=[tolerance], include_background=True, spacing=step
    )
    return {"hd95": float(hd95), "surface_dice": float(surface)}


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The part of the array that holds the mask, with a voxel of margin where there is one."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        where = np.flatnonzero(mask.any(axis=others))
        box.append(slice(max(int(where[0]) - 1, 0), int(where[-1]) + 2))
    return tuple(box)


def _spacing_mm(pred: torch.Tensor, label: torch.Tensor, *, case: str) -> list[float]:
    """Voxel size of the label; a 2D image counts as one slice."""
    if not isinstance(pred, MetaTensor) or not isinstance(label, MetaTensor):
        raise ValueError(f"case {case} has no affine to measure millimetres by: use unit 'pixel'")
    grids = [
        Geometry((*x.shape[1:], 1)[:3], np.asarray(x.affine, dtype=float)) for x in (pred, label)
    ]
    if difference := grids[0].difference(grids[1]):
        raise ValueError(
            f"prediction and label of case {case} lie on different grids ({difference}): "
            "invert the spatial transforms of the preprocessing"
        )
    return list(grids[1].spacing_mm[: label.ndim - 1])


def _statistics(values: Sequence[float]) -> dict[str, float | int | None]:
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


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
