"""Transfer: start a network from the weights of another one, as far as they fit."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from medseg.base.text import count_noun, shorten_list
from medseg.networks.ensemble import split_members
from medseg.networks.nested import NestedUNet
from medseg.networks.weights.load import read_state

logger = logging.getLogger(__name__)

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Transfer:
    """What became of the weights of a network.

    Attributes:
        kept: keys that were taken as they are.
        resized: key -> what was done to fit it.
        new: keys that have the values that the network was made with.
        unused: keys of the other network that this one does not have.
    """

    kept: tuple[str, ...]
    resized: Mapping[str, str]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def describe(self) -> str:
        """The numbers, and which weights are new, in one line."""
        total = len(self.kept) + len(self.resized) + len(self.new)
        ways = ", ".join(dict.fromkeys(self.resized.values()))
        parts = [
            f"{len(self.kept)} of {count_noun(total, 'weight')} kept",
            f"{len(self.resized)} resized" + (f" ({ways})" if ways else ""),
            f"{len(self.new)} new" + (f" ({shorten_list(list(self.new))})" if self.new else ""),
        ]
        return ", ".join(parts)


def transfer_weights(
    network: NestedUNet, weights: str | os.PathLike[str] | Mapping[str, Tensor]
) -> Transfer:
    """Give a network the weights of another one where they fit, and tell what was done.

    - the same shape: kept;
    - a 2D kernel for a 3D network: spread over the third axis, so that a volume whose slices are
      all alike gives what the slice gave (I3D, Carreira and Zisserman 2017);
    - a kernel of 1 for one of 3, along an axis: put into its middle; of 3 for one of 1: added up;
    - other input channels: the mean over those of the other network, so scaled that the same image
      in each channel gives what it gave;
    - all others, such as heads of other classes, and levels that the other lacks: new.

    Args:
        network: changed in place.
        weights: a flat state dict, or its file, see `load_weights`; of an ensemble its first
            network counts.

    Raises:
        ValueError: the file is no state dict, or nothing of it fits.

    Example:
        >>> small = NestedUNet(2, 1, 2, channels=(8, 16, 32))
        >>> large = NestedUNet(3, 1, 4, channels=(8, 16, 32))
        >>> len(transfer_weights(large, small.state_dict()).new)
        2
    """
    given: Mapping[str, Tensor] = read_state(weights)
    if members := split_members(given):
        given = members[0]
    own = network.state_dict()
    first = next(key for key in own if own[key].ndim > 2)
    transposed = {
        f"{name}.weight" for name, part in network.named_modules() if isinstance(part, _TRANSPOSED)
    }
    kept, new = [], []
    resized: dict[str, str] = {}
    made: dict[str, Tensor] = {}
    for key, tensor in own.items():
        other = given.get(key)
        if other is not None and other.shape == tensor.shape:
            kept.append(key)
            made[key] = other
            continue
        fitted = other
        ways: list[str] = []
        if fitted is not None and ".head." not in key:
            if key == first and fitted.ndim > 2:
                fitted, ways = _fit_channels(fitted, tensor.shape[1])
            fitted, more = _fit_kernel(fitted, tensor, spread=key not in transposed)
            ways = [*ways, *more]
        if fitted is not None and fitted.shape == tensor.shape:
            resized[key] = " and ".join(ways)
            made[key] = fitted
        else:
            new.append(key)
    if not made or not any(made[key].ndim > 2 for key in made):
        name = os.fspath(weights) if isinstance(weights, str | Path) else "these weights"
        widths = _compare_widths(own[first], given.get(first))
        raise ValueError(
            f"nothing of {name} fits this network{widths}: start from one of the same channels and "
            "topology"
        )
    network.load_state_dict({**own, **made})
    unused = tuple(key for key in given if key not in own)
    return Transfer(tuple(kept), resized, tuple(new), unused)


def _compare_widths(own: Tensor, other: Tensor | None) -> str:
    """The channels behind the first convolution of both networks, where these differ."""
    if other is None or len(own) == len(other):
        return ""
    return f" (it begins with {len(other)} channels, and this one with {len(own)})"


def _fit_channels(other: Tensor, channels: int) -> tuple[Tensor, list[str]]:
    """A first kernel for other input channels."""
    before = other.shape[1]
    if before == channels:
        return other, []
    mean = other.mean(dim=1, keepdim=True) * (before / channels)
    return mean.expand(-1, channels, *other.shape[2:]).clone(), [
        f"{before} to {count_noun(channels, 'input channel')}"
    ]


def _fit_kernel(other: Tensor, own: Tensor, *, spread: bool) -> tuple[Tensor | None, list[str]]:
    """A kernel with another number of axes or another size along one; None where it cannot be."""
    ways = []
    if other.ndim == 4 and own.ndim == 5:
        size = own.shape[-1]
        other = other[..., None].expand(*other.shape, size) / (size if spread else 1)
        ways.append("2D to 3D")
    if other.ndim != own.ndim or other.ndim < 3 or other.shape[:2] != own.shape[:2]:
        return None, []
    for axis in range(2, other.ndim):
        before, after = other.shape[axis], own.shape[axis]
        if before == after:
            continue
        if before == 1 and after % 2:
            shape = [*other.shape]
            shape[axis] = after
            wider = torch.zeros(shape, dtype=other.dtype)
            wider.select(axis, after // 2).copy_(other.select(axis, 0))
            other = wider
        elif after == 1:
            other = other.sum(dim=axis, keepdim=True)
        else:
            return None, []
        ways.append(f"kernel {before} to {after}")
    return other.contiguous(), list(dict.fromkeys(ways))
