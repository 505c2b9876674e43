"""Deep supervision: turn the loss of one head into that of a deeply supervised network."""

from collections.abc import Sequence
from typing import Any

from monai.losses import DeepSupervisionLoss
from torch import nn

from medseg.losses.head_weights import LEARNED, make_head_weights
from medseg.losses.learned_weights import LearnedWeightsLoss


def deep_supervision(
    loss: nn.Module,
    weights: Sequence[float] | str,
    *,
    network: Any,
    minimum: float | None = None,
) -> nn.Module:
    """The loss of the network's heads: fixed weights by MONAI's class, or learned ones.

    It takes the list of heads that the network returns in training, and a single tensor too. Give
    the optimiser `[*network.parameters(), *loss.parameters()]`: only learned weights have any.

    Args:
        loss: of one head, such as `HybridLoss`.
        weights: "equal", "decaying", "learned" or a list, see `make_head_weights`.
        network: a `NestedUNet`, or another with its `deep_supervision` and `topology.heads`.
            Without deep supervision there is nothing to weigh: `loss` itself is returned.
        minimum: least value of `loss`, for "learned" only; None reads `loss.minimum`.

    Raises:
        TypeError: `weights` is neither a name nor a list of numbers.
        ValueError: weights that `make_head_weights` refuses, or a loss of unknown minimum.

    Example:
        >>> network = NestedUNet(2, 1, 3, deep_supervision=True)
        >>> deep_supervision(HybridLoss(), "decaying", network=network).weights[0]
        2.1333333333333333
    """
    if weights == LEARNED:
        heads = len(network.topology.heads)
        supervised = network.deep_supervision
        return LearnedWeightsLoss(loss, heads, minimum=minimum) if supervised else loss
    fixed = make_head_weights(weights, network)
    return DeepSupervisionLoss(loss, weights=fixed) if network.deep_supervision else loss
