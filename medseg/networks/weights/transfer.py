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
    - fewer channels in each level: the first of the new ones compute what the others did, and are
      fed by no other; the rest are new (Net2WiderNet, Chen, Goodfellow and Shlens 2016, but that
      new channels are not copies of old ones);
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
    may_widen = _is_narrower(given, own, first)
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
        if fitted is not None and may_widen and fitted.shape != tensor.shape:
            fitted = _widen(fitted, tensor, key, is_transposed=key in transposed)
            ways = [*ways, "more channels"]
        if fitted is not None and fitted.shape == tensor.shape:
            resized[key] = " and ".join(ways)
            made[key] = fitted
        else:
            new.append(key)
    if not made or not any(made[key].ndim > 2 for key in made):
        name = os.fspath(weights) if isinstance(weights, str | Path) else "these weights"
        widths = _compare_widths(own[first], given.get(first))
        raise ValueError(
            f"nothing of {name} fits this network{widths}: start from one of the same topology, "
            "with as many channels or fewer"
        )
    network.load_state_dict({**own, **made})
    unused = tuple(key for key in given if key not in own)
    return Transfer(tuple(kept), resized, tuple(new), unused)


def _compare_widths(own: Tensor, other: Tensor | None) -> str:
    """The channels behind the first convolution of both networks, where these differ."""
    if other is None or len(own) == len(other):
        return ""
    return f" (it begins with {len(other)} channels, and this one with {len(own)})"


def _is_narrower(given: Mapping[str, Tensor], own: Mapping[str, Tensor], first: str) -> bool:
    """Whether no kernel of the other network has more channels, but for those of the image."""
    kernels = [key for key in own if own[key].ndim > 2 and key in given and ".head." not in key]
    return all(
        n <= most
        for key in kernels
        for n, most in zip(given[key].shape[: 1 + (key != first)], own[key].shape, strict=False)
    )


def _widen(other: Tensor, own: Tensor, key: str, *, is_transposed: bool) -> Tensor | None:
    """Weights of more channels, of which the first compute what they did; None where none fit.

    A node takes the feature maps of several, each of which has more channels.
    """
    if other.ndim != own.ndim or other.shape[2:] != own.shape[2:]:
        return None
    made = own.clone()
    if own.ndim < 2:
        if ".head." in key or len(other) > len(own):
            return None
        made[: len(other)] = other
        return made
    target, source = made, other
    if is_transposed:  # these kernels have their input first
        target, source = made.swapdims(0, 1), other.swapdims(0, 1)
    (outputs, before), (new_outputs, after) = source.shape[:2], target.shape[:2]
    if ".head." in key and outputs != new_outputs:
        return None
    is_joined = ".first.conv" in key and before % outputs == 0
    maps = before // outputs if is_joined and after == before // outputs * new_outputs else 1
    target[:outputs] = 0
    for number in range(maps):
        old = source[:, number * (before // maps) : (number + 1) * (before // maps)]
        start = number * (after // maps)
        target[:outputs, start : start + old.shape[1]] = old
    return made


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
    if other.ndim < 3:
        return other, []
    if other.ndim != own.ndim:
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
