"""Scores: Dice, IoU, HD95 and surface Dice of one mask against another."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from medseg.base.masks import compute_dice, find_box

SCORES = ("dice", "iou", "hd95", "surface_dice")


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
        pred: boolean array, 2D or 3D.
        label: boolean array of the same shape.
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
    dice = compute_dice(pred, label)
    if math.isnan(dice):
        return dict.fromkeys(SCORES, math.nan)
    scores = {"dice": dice, "iou": dice / (2 - dice)}
    if not pred.any() or not label.any():
        return {**scores, "hd95": math.inf, "surface_dice": 0.0}
    return {**scores, **_score_surface(pred, label, spacing, tolerance)}


def _score_surface(
    pred: np.ndarray, label: np.ndarray, spacing: Sequence[float] | None, tolerance: float
) -> dict[str, float]:
    """HD95 and surface Dice, on the bounding box of both masks with a voxel of margin."""
    box = find_box(pred | label, margin=1)
    y_pred, y = (torch.from_numpy(x[box].astype(np.uint8))[None, None] for x in (pred, label))
    step = [1.0] * pred.ndim if spacing is None else [float(x) for x in spacing]
    hd95 = compute_hausdorff_distance(
        y_pred, y, include_background=True, percentile=95, spacing=step
    )
    surface = compute_surface_dice(
        y_pred, y, class_thresholds=[tolerance], include_background=True, spacing=step
    )
    return {"hd95": float(hd95), "surface_dice": float(surface)}
