"""Losses: what the papers of the UNet++ family use and MONAI lacks."""

from medseg.losses.guided import GuidedLoss
from medseg.losses.hybrid import HybridLoss
from medseg.losses.learned import LearnedWeightsLoss
from medseg.losses.supervision import deep_supervision
from medseg.losses.weighted_target import WeightedTargetLoss
from medseg.losses.weights import head_weights

__all__ = [
    "GuidedLoss",
    "HybridLoss",
    "LearnedWeightsLoss",
    "WeightedTargetLoss",
    "deep_supervision",
    "head_weights",
]
