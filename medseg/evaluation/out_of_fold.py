"""Out of fold: what a cross-validation keeps of each case that the network has not seen."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from medseg.base.files import whole
from medseg.base.text import make_file_name
from medseg.evaluation.distribution import rank_case
from medseg.evaluation.gallery import find_last_rows, make_class_view
from medseg.evaluation.part_rules import try_rules
from medseg.evaluation.tile import draw_tile
from medseg.inference.preview.page import draw_page
from medseg.metrics import CaseMetrics

RULES_FILE = "part_rules.csv"
COLUMNS = ("case", "class", "keep", "fill", "dice")


class OutOfFold:
    """Evaluator handler that keeps the prediction of each case, a picture, and what rules do to it.

    `masks/CASE.nii.gz`, of pictures `.png`, is the predicted label map, by class index.
    `pictures/CASE.png` shows the class that agrees least, where truth and prediction differ most.
    `part_rules.csv` has the Dice of each class after each `PartRule`. Attach it after the handler
    of the scores.

    Args:
        scores: the handler that scores the cases.
        output_dir: folder of the files.
        enabled: whether anything is kept.
    """

    def __init__(
        self, scores: CaseMetrics, *, output_dir: str | os.PathLike, enabled: bool = False
    ) -> None:
        self.scores = scores
        self.output_dir = Path(output_dir)
        self.enabled = enabled
        self._rows: list[Sequence[Any]] = []

    def attach(self, engine: Engine) -> None:
        """Keep each case once it is scored."""
        if self.enabled:
            engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the files of each case of the batch."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            case = str(item["case"])
            pred, true = (output[key][0].cpu().numpy() for key in ("pred", "label"))
            affine = np.asarray(getattr(output["label"], "affine", np.eye(4)), dtype=float)
            self._write_mask(case, pred.astype(np.uint8), affine)
            self._draw(case, item["image"], output["label"], output["pred"])
            self._try_rules(case, true, pred, affine)
        with whole(self.output_dir / RULES_FILE) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *self._rows])

    def _write_mask(self, case: str, pred: NDArray[np.uint8], affine: NDArray) -> None:
        suffix = ".nii.gz" if pred.ndim == 3 else ".png"
        with whole(self.output_dir / "masks" / f"{make_file_name(case)}{suffix}") as partial:
            if pred.ndim == 3:
                nib.save(nib.Nifti1Image(pred, affine), partial)
            else:
                Image.fromarray(pred).save(partial, format="png")

    def _draw(self, case: str, image: Tensor, label: Tensor, pred: Tensor) -> None:
        """Draw the class that agrees least, with its scores; none where no class has a score."""
        rows = [row for row in find_last_rows(self.scores, case) if not isnan(row["dice"])]
        if not rows:
            return
        row = min(rows, key=rank_case)
        view = make_class_view(self.scores, row["class"], image, label, pred)
        page = draw_page(draw_tile(view, {**row, "case": f"{case}, {row['class']}"}))
        with whole(self.output_dir / "pictures" / f"{make_file_name(case)}.png") as partial:
            page.save(partial, format="png")

    def _try_rules(self, case: str, true: NDArray, pred: NDArray, affine: NDArray) -> None:
        scorer = self.scores.scorer
        unit = abs(float(np.linalg.det(affine[:3, :3]))) / 1000 if pred.ndim == 3 else 1.0
        for name, members in zip(scorer.classes, scorer.members, strict=True):
            masks = [np.isin(values, members) for values in (pred, true)]
            if scorer.ignore_label is not None:
                masks[0] &= true != scorer.ignore_label
            for rule, dice in try_rules(*masks, unit=unit, is_volume=pred.ndim == 3):
                self._rows.append((case, name, rule.keep, int(rule.fill), round(dice, 6)))
