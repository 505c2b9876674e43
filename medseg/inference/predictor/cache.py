"""Remembered: what was made of a network, made again only once its weights have changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import nn

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """Makes something of a network, and gives the same for it as long as it stays as it is.

    The network is known by itself and by the version of each of its tensors, which a change in
    place moves on. Changes through `.data`, and those of tensors that were made in
    `torch.inference_mode`, move nothing on and are not noticed. The last network is kept.

    Args:
        make: what is made of a network.

    Example:
        >>> remembered = Remembered(lambda network: object())
        >>> network = nn.Linear(1, 1)
        >>> remembered(network) is remembered(network)
        True
    """

    def __init__(self, make: Callable[[nn.Module], Made]) -> None:
        self.make = make
        self._last: tuple[nn.Module, tuple[tuple[int, int], ...], Made] | None = None

    def __call__(self, network: nn.Module) -> Made:
        """What was made last, or is made now."""
        tensors = network.state_dict(keep_vars=True).values()
        state = tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors)
        if self._last is None or self._last[0] is not network or self._last[1] != state:
            self._last = (network, state, self.make(network))
        return self._last[2]
