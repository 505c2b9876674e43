"""Weights: one weight per head of a network, for MONAI's DeepSupervisionLoss."""

import math
from collections.abc import Sequence
from typing import Any, Protocol


class _Topology(Protocol):
    @property
    def heads(self) -> Sequence[Any]: ...


class _Supervised(Protocol):
    """What is read of a network, `medseg.networks.NestedUNet` for instance."""

    deep_supervision: bool
    topology: _Topology


def head_weights(weights: Sequence[float], network: _Supervised) -> list[float]:
    """The weights, deepest head first, if there is one for each head of the network.

    `monai.losses.DeepSupervisionLoss` cuts a longer list, and replaces a shorter one by its own
    weights, both without a word. A network without deep supervision gives one tensor, which is not
    weighed: whatever the weights, they become [1.0].

    Args:
        weights: not negative and not all 0; the loss is their weighted sum, not a mean.
        network: has `deep_supervision` and `topology.heads`.

    Raises:
        TypeError: `weights` is no list of numbers.
        ValueError: another number of weights than of heads, or a weight out of range.

    Example:
        >>> from medseg.networks import NestedUNet
        >>> network = NestedUNet(2, 1, 1, channels=(8, 16, 32), deep_supervision=True)
        >>> head_weights([1, 0.5], network)
        [1.0, 0.5]
    """
    if not network.deep_supervision:
        return [1.0]
    if not isinstance(weights, list | tuple) or not all(map(_is_number, weights)):
        raise TypeError(f"head_weights must be a list of numbers, got {weights!r}: pass [1.0, 1.0]")
    heads = len(network.topology.heads)
    if len(weights) != heads:
        raise ValueError(
            f"head_weights needs one weight per head, got {len(weights)} for {heads} heads: "
            f"pass {heads}, deepest head first, for instance {[1.0] * heads}"
        )
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ValueError(
            f"head_weights are not negative, finite and not all 0, got {list(weights)}: "
            "give each head that counts a positive weight"
        )
    return [float(weight) for weight in weights]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
