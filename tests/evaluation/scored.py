"""Rows of scores as CaseMetrics keeps them, and evaluations of cases made of squares."""

import math

import numpy as np
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator

AFFINE = np.diag([2.0, 1.0, 5.0, 1.0])


def row(case, dice, *, true=2.0, predicted=2.0, hd95=1.0):
    """A row of the class "liver" in millimetres."""
    scores = {"dice": dice, "iou": dice, "hd95_mm": hd95, "surface_dice_2mm": dice}
    sizes = {"true_ml": true, "predicted_ml": predicted}
    return {"case": case, "class": "liver", **scores, **sizes}


def absent(case):
    """A row of a case without the class, in truth and prediction."""
    return row(case, math.nan, true=0.0, predicted=0.0, hd95=math.nan)


def block(start, *, side=10, shape=(40, 40, 6)):
    """A block of 1 in a volume of 0."""
    mask = np.zeros(shape, np.uint8)
    mask[start : start + side, 5 : 5 + side, 1:4] = 1
    return mask


def item(case, pred, label, *, affine=AFFINE):
    """A case whose image is its prediction."""
    image, truth = (MetaTensor(torch.tensor(x)[None].float(), affine=affine) for x in (pred, label))
    return {"case": case, "image": image, "label": truth}


def make_evaluator(items, handlers):
    """An evaluator whose prediction is the image."""
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(items), batch_size=1),
        network=torch.nn.Identity(),
        val_handlers=handlers,
    )
