"""Losses: what the UNet++ papers use and MONAI lacks."""

from medseg.losses.hybrid import HybridLoss
from medseg.losses.weights import head_weights

__all__ = ["HybridLoss", "head_weights"]
