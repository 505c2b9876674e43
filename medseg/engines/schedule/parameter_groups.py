"""Parameter groups: let parts of a network learn later and more slowly than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from medseg.base.arguments import check_choice
from medseg.base.choices.rules import NETWORK_PARTS
from medseg.engines.distributed import unwrap
from medseg.networks.weights.parts import find_part

FROZEN = "frozen"
"""The key of a parameter group whose rate is 0 in the first epochs, see `LearningRate`."""


def group_parameters(
    network: nn.Module,
    loss: nn.Module,
    *,
    learning_rate: float,
    freeze: Sequence[str] = (),
    thawed_rate: float = 1.0,
) -> list[Any]:
    """The parameters of network and loss for an optimiser.

    Args:
        network: a `NestedUNet`, or its `DistributedDataParallel` wrapper.
        loss: which may have parameters of its own.
        learning_rate: of all that is not frozen.
        freeze: parts of the network, see `medseg.networks.weights.parts`.
        thawed_rate: the rate of these parts once they learn, as a part of `learning_rate`.

    Returns:
        The parameters, or two groups of them where some parts are frozen.

    Raises:
        ValueError: an unknown part.

    Example:
        >>> network = NestedUNet(2, 1, 2, channels=(4, 8, 16))
        >>> groups = group_parameters(network, nn.Identity(), learning_rate=0.1, freeze=["encoder"],
        ...                           thawed_rate=0.1)
        >>> [group.get("lr") for group in groups]
        [None, 0.010000000000000002]
    """
    for part in freeze:
        check_choice("freeze", part, NETWORK_PARTS)
    if not freeze:
        return [*network.parameters(), *loss.parameters()]
    named = list(unwrap(network).named_parameters())
    later = [tensor for name, tensor in named if find_part(name) in freeze]
    others = [tensor for name, tensor in named if find_part(name) not in freeze]
    return [
        {"params": [*others, *loss.parameters()]},
        {"params": later, "lr": learning_rate * thawed_rate, FROZEN: True},
    ]
