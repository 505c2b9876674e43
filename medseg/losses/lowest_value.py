"""Lowest value: the least value that the loss of a training can have.

It knows every loss of the package that holds another one, so it belongs to none of their files.
"""

import math
from typing import Any

from monai.losses import DeepSupervisionLoss
from torch import nn

from medseg.losses.guided import GuidedLoss
from medseg.losses.learned_weights import FLOOR, LearnedWeightsLoss


def find_lowest_value(loss: nn.Module) -> float | None:
    """The value of a loss where every head predicts perfectly.

    A loss states that of one head as its `minimum`. Fixed weights of the heads multiply it; learned
    ones fall with the loss, so that each head ends at 1 + log `FLOOR`; the cross-entropy of the
    guide ends at 0.

    Returns:
        None where it is unknown: a loss that states no minimum, or whose weights depend on the
        number of heads.

    Example:
        >>> find_lowest_value(DeepSupervisionLoss(HybridLoss(), weights=[1.0, 1.0, 0.5]))
        -2.5
    """
    if isinstance(loss, GuidedLoss):
        return find_lowest_value(loss.loss)
    if isinstance(loss, LearnedWeightsLoss):
        return len(loss.log_scales) * (1 + math.log(FLOOR))
    if isinstance(loss, DeepSupervisionLoss):
        one = find_lowest_value(loss.loss)
        return None if one is None or loss.weights is None else one * sum(loss.weights)
    minimum: Any = getattr(loss, "minimum", None)
    return None if minimum is None else float(minimum)
