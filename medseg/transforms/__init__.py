"""Transforms that MONAI lacks: target classes, intensity window, 2D slices of 3D volumes."""

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
    "LabelFromLogits",
    "LabelFromLogitsd",
    "MergeLabels",
    "MergeLabelsd",
    "SliceDataset",
    "logit_channels",
    "window",
]
