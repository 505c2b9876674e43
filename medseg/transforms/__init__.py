"""Transforms that MONAI lacks: target classes of a task, and the 2D slices of 3D volumes."""

from medseg.transforms.classes import (
    LabelFromLogits,
    LabelFromLogitsd,
    MergeLabels,
    MergeLabelsd,
    logit_channels,
)
from medseg.transforms.slices import SliceDataset

__all__ = [
    "LabelFromLogits",
    "LabelFromLogitsd",
    "MergeLabels",
    "MergeLabelsd",
    "SliceDataset",
    "logit_channels",
]
