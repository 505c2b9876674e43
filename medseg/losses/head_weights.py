"""Head weights: one weight per head of a network, for MONAI's DeepSupervisionLoss."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from medseg.base.arguments import is_number

LEARNED = "learned"
"""The weights are parameters that are trained along, see `LearnedWeightsLoss`."""


def make_head_weights(weights: Sequence[float] | str, network: Any) -> list[float]:
    """The weights, deepest head first, one for each head of the network.

    - "equal": 1 for every head, as in the UNet++ paper.
    - "decaying": each head half as much as the one before it, so that the deepest, which is the
      prediction after training, leads. nnU-Net halves its weights so from one resolution to the
      next, and scales them to sum to 1. Here they sum to the number of heads as the equal ones do:
      the choice moves the emphasis, and leaves the size of the loss and gradients alone.
    - a list: the weights as they stand.

    `monai.losses.DeepSupervisionLoss` cuts a longer list, and replaces a shorter one by its own
    weights, both without a word. A network without deep supervision gives one tensor, which is not
    weighed: whatever the weights, they become [1.0].

    Args:
        weights: "equal", "decaying", or numbers that are not negative and not all 0; the loss is
            their weighted sum, not a mean.
        network: a `NestedUNet`, or another with its `deep_supervision` and `topology.heads`.

    Raises:
        TypeError: `weights` is neither a name nor a list of numbers.
        ValueError: an unknown name; another number of weights than of heads, or one out of range;
            "learned", which is no list: `medseg.losses.deep_supervision` takes it.

    Example:
        >>> from medseg.networks import NestedUNet
        >>> network = NestedUNet(2, 1, 1, channels=(8, 16, 32), deep_supervision=True)
        >>> make_head_weights([1, 0.5], network), make_head_weights("equal", network)
        ([1.0, 0.5], [1.0, 1.0])

    Source: equal: Zhou, Siddiquee, Tajbakhsh and Liang 2018, section 3.2; halved: Isensee et al.
    2021, "nnU-Net", the paragraph on training in Methods.
    """
    if isinstance(weights, str):
        _check_name(weights)
    if not network.deep_supervision:
        return [1.0]
    heads = len(network.topology.heads)
    if isinstance(weights, str):
        return _SCHEMES[weights](heads)
    _check_weights(weights, heads)
    return [float(weight) for weight in weights]


def check_head_weights(weights: Sequence[float] | str, network: Any) -> None:
    """Refuse weights that do not suit the network; a config asks before it reads any data.

    Raises:
        TypeError: `weights` is neither a name nor a list of numbers.
        ValueError: what `make_head_weights` refuses, but for "learned".

    Example:
        >>> from medseg.networks import NestedUNet
        >>> check_head_weights("learned", NestedUNet(2, 1, 1, deep_supervision=True))
    """
    if weights != LEARNED:
        make_head_weights(weights, network)


def _make_equal(heads: int) -> list[float]:
    return [1.0] * heads


def _make_decaying(heads: int) -> list[float]:
    halves = [0.5**head for head in range(heads)]
    return [heads * half / sum(halves) for half in halves]


_SCHEMES: dict[str, Callable[[int], list[float]]] = {
    "equal": _make_equal,
    "decaying": _make_decaying,
}


def _check_name(name: str) -> None:
    if name == LEARNED:
        raise ValueError(
            "learned head_weights are parameters, not a list, got 'learned': "
            "build the loss with medseg.losses.deep_supervision"
        )
    if name not in _SCHEMES:
        raise ValueError(
            f"head_weights must be {', '.join([*_SCHEMES, LEARNED])} or a list of numbers, "
            f"got {name!r}: choose one"
        )


def _check_weights(weights: Sequence[float], heads: int) -> None:
    if not isinstance(weights, list | tuple) or not all(map(is_number, weights)):
        raise TypeError(
            f"head_weights must be a name or a list of numbers, got {weights!r}: "
            f"pass 'equal' or {[1.0] * heads}"
        )
    if len(weights) != heads:
        raise ValueError(
            f"head_weights needs one weight per head, got {len(weights)} for {heads} heads: "
            f"pass {heads}, deepest head first, for instance {[1.0] * heads}"
        )
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ValueError(
            f"head_weights must be finite, not negative and not all 0, got {list(weights)}: "
            "give each head that counts a positive weight"
        )
