"""Losses: what the UNet++ papers use and MONAI lacks."""

from medseg.losses.hybrid import HybridLoss

__all__ = ["HybridLoss"]
