"""Transforms that MONAI lacks: target classes, border weights, intensity window, 2D slices."""

from medseg.transforms.border_weight import BorderWeight, BorderWeightd, border_weight
from medseg.transforms.classes import (
    LabelFromLogits,
    LabelFromLogitsd,
    MergeLabels,
    MergeLabelsd,
    logit_channels,
)
from medseg.transforms.slices import SliceDataset
from medseg.transforms.window import window

__all__ = [
    "BorderWeight",
    "BorderWeightd",
    "LabelFromLogits",
    "LabelFromLogitsd",
    "MergeLabels",
    "MergeLabelsd",
    "SliceDataset",
    "border_weight",
    "logit_channels",
    "window",
]
