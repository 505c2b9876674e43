"""Remembered: what was made of a network, made again only once its weights have changed."""

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from torch import nn

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """Makes something of a network, and gives the same for it as long as it stays as it is.

    The network is known by itself and by the version of each of its tensors, which every change in
    place moves on; it is not kept alive.

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
        self._last: tuple[weakref.ref[nn.Module], tuple[tuple[int, int], ...], Made] | None = None

    def __call__(self, network: nn.Module) -> Made:
        """What was made last, or is made now."""
        tensors = network.state_dict(keep_vars=True).values()
        state = tuple((t.data_ptr(), t._version) for t in tensors)
        if self._last is not None and (self._last[0](), self._last[1]) == (network, state):
            return self._last[2]
        made = self.make(network)
        self._last = (weakref.ref(network), state, made)
        return made
