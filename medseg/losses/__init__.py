"""Losses: what the papers of the UNet++ family use and MONAI lacks."""

from medseg.losses.deep_supervision import deep_supervision
from medseg.losses.guided import GuidedLoss
from medseg.losses.head_weights import check_head_weights, make_head_weights
from medseg.losses.hybrid import HybridLoss
from medseg.losses.learned_weights import LearnedWeightsLoss
from medseg.losses.lowest_value import find_lowest_value
from medseg.losses.weighted_target import WeightedTargetLoss

__all__ = [
    "GuidedLoss",
    "HybridLoss",
    "LearnedWeightsLoss",
    "WeightedTargetLoss",
    "check_head_weights",
    "deep_supervision",
    "find_lowest_value",
    "make_head_weights",
]
