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
from monai.engines.utils import IterationEvents
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from medseg.files import whole

logger = logging.getLogger(__name__)

SCORES = ("dice", "iou", "hd95", "surface_dice")


class CaseMetrics:
    """Evaluator handler: scores each case after post-processing and keeps the tables on disk up to date.

    `metrics.csv` has a row for each case and class; `metrics_summary.json` has mean, standard
    deviation, median, minimum and maximum of each score, and over how many cases it is defined. Both
    are rewritten after every case, so that a run that stops early leaves what it has.

    Args:
        output_dir: folder of the two files.
        classes: names of the foreground classes, in order.
        tolerance: distance up to which two surfaces agree, in `unit`.
        unit: "mm" takes the voxel size from the affine; "pixel" is for images without a known size.
        group: key of the case whose value is written beside it, for instance "patient".
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
        self.output_dir = Path(output_dir)
        self.classes = list(classes)
        self.tolerance = tolerance
        self.unit = unit
        self.group = group
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Score after the post-processing, which runs when the model is done."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            pred, label = output["pred"], output["label"]
            affine = getattr(label, "affine", None)
            known = self.unit == "mm" and affine is not None
            spacing = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0) if known else None
            for index, name in enumerate(self.classes, start=1):
                scores = score_case(
                    np.asarray(pred[0] == index),
                    np.asarray(label[0] == index),
                    spacing=None if spacing is None else spacing.tolist(),
                    tolerance=self.tolerance,
                )
                group = {} if self.group is None else {self.group: item[self.group]}
                self.rows.append(
                    {"case": item["case"], **group, "class": name, **self._named(scores)}
                )
        self.write()

    def write(self) -> None:
        """Write the tables of the cases so far, each whole or not at all."""
        with (
            whole(self.output_dir / "metrics.csv") as partial,
            partial.open("w", newline="") as file,
        ):
            table = csv.DictWriter(file, fieldnames=list(self.rows[0]))
            table.writeheader()
            table.writerows({k: _text(v) for k, v in row.items()} for row in self.rows)
        with whole(self.output_dir / "metrics_summary.json") as partial:
            partial.write_text(json.dumps(self.summary(), indent=2) + "\n")

    def summary(self) -> dict[str, Any]:
        """class -> score -> mean, std, median, min, max and n, over the cases that define it."""
        names = [self._column(score) for score in SCORES]
        return {
            c: {n: _statistics([r[n] for r in self.rows if r["class"] == c]) for n in names}
            for c in self.classes
        }

    def _named(self, scores: dict[str, float]) -> dict[str, float]:
        return {self._column(k): v for k, v in scores.items()}

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
    not a number, and thus left out of every mean, when both are: there is nothing to find and nothing
    was found.

    Args:
        pred, label: boolean arrays of one shape, 2D or 3D.
        spacing: size of a voxel along each axis; None means 1.
        tolerance: distance up to which two surfaces agree, in the unit of `spacing`.

    Returns:
        `dice`, `iou`, `hd95` (the larger of the two directed 95th percentiles of the distances
        between the surfaces, in the unit of `spacing`) and `surface_dice` (Nikolov et al. 2018).
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
    where = np.argwhere(pred | label)
    low, high = np.maximum(where.min(0) - 1, 0), where.max(0) + 2
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    y_pred, y = (torch.from_numpy(x[box].astype(np.uint8))[None, None] for x in (pred, label))
    step = list(spacing) if spacing is not None else [1.0] * pred.ndim
    hd95 = compute_hausdorff_distance(
        y_pred, y, include_background=True, percentile=95, spacing=step
    )
    surface = compute_surface_dice(
        y_pred, y, class_thresholds=[tolerance], include_background=True, spacing=step
    )
    return {"hd95": float(hd95), "surface_dice": float(surface)}


def _statistics(values: Sequence[float]) -> dict[str, float | int | None]:
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return {"n": 0, "mean": None, "std": None, "median": None, "min": None, "max": None}
    return {
        "n": len(known),
        "mean": statistics.fmean(known),
        "std": statistics.pstdev(known),
        "median": statistics.median(known),
        "min": min(known),
        "max": max(known),
    }


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
