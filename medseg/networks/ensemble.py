"""Ensemble: several networks as one, whose probabilities are the mean of theirs."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from medseg.base.arguments import check_choice
from medseg.base.text import count_noun
from medseg.networks.nested import NestedUNet

logger = logging.getLogger(__name__)

ACTIVATIONS = ("softmax", "sigmoid", "none")

AVERAGES = ("probabilities", "logits")

_MEMBER = re.compile(r"members\.(\d+)\.(.+)")


class Ensemble(nn.Module):
    """Networks of one design, such as those of the folds of a cross-validation, as one network.

    It maps an image (B, in_channels, *spatial) to logits (B, out_channels, *spatial) whose softmax,
    or sigmoid, is the mean of those of its members. So all that takes logits, as windows that blend
    and argmax do, takes its as well. Memory is that of one member and the logits of all, time that
    of all together.

    Args:
        members: two or more networks that give one tensor each in eval.
        activation: "softmax" for classes that exclude each other, "sigmoid" for each on its own;
            "none" takes the mean of logits instead, as nnU-Net does.

    Raises:
        ValueError: fewer than two members, members that differ in stride, channels or padding, or
            an unknown activation.

    Example:
        >>> one, other = (NestedUNet(2, 1, 2, channels=(8, 16, 32)) for _ in range(2))
        >>> Ensemble([one, other], activation="softmax").eval()(torch.rand(1, 1, 8, 8)).shape
        torch.Size([1, 2, 8, 8])
    """

    def __init__(self, members: Sequence[NestedUNet], *, activation: str) -> None:
        super().__init__()
        if len(members) < 2:
            raise ValueError(f"an ensemble needs 2 networks or more, got {len(members)}")
        first = members[0]
        design = (first.in_channels, first.total_stride, first.pad_input, first.margin)
        for one in members[1:]:
            if (one.in_channels, one.total_stride, one.pad_input, one.margin) != design:
                raise ValueError(
                    "the networks of an ensemble must be of one design, and these differ in "
                    "channels, stride or padding: build them alike"
                )
        check_choice("activation", activation, ACTIVATIONS)
        self.members = nn.ModuleList(members)
        self.activation = activation
        self.in_channels, self.total_stride = first.in_channels, first.total_stride
        self.pad_input, self.margin = first.pad_input, first.margin

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, in_channels, *spatial) to logits (B, out_channels, *spatial), float32.

        Raises:
            ValueError: in training, where each member has to learn on its own.
        """
        if self.training:
            raise ValueError("an ensemble is not trained: train its members, or call eval()")
        return average_logits([member(image) for member in self.members], self.activation)

    def prune(self, level: int) -> Ensemble:
        """The ensemble of its members pruned to a level, see `NestedUNet.prune`."""
        pruned = [member.prune(level) for member in self.list_members()]
        return Ensemble(pruned, activation=self.activation)

    def check_image(self, image: Tensor) -> None:
        """Refuse an image that the members do not take, see `NestedUNet.check_image`."""
        check = getattr(self.members[0], "check_image", None)
        if check is not None:
            check(image)

    def list_members(self) -> list[NestedUNet]:
        """Its networks, in the order of their weights."""
        return cast(list[NestedUNet], list(self.members))


def average_logits(logits: Sequence[Tensor], activation: str) -> Tensor:
    """Logits, in float32, whose softmax or sigmoid is the mean of those of several.

    Args:
        logits: each (B, channels, *spatial).
        activation: "softmax" over the channels, or "sigmoid" of each; "none" for the mean of the
            logits themselves.

    Example:
        >>> two = [torch.tensor([[0.0]]), torch.tensor([[0.0]])]
        >>> average_logits(two, "sigmoid")
        tensor([[0.]])
    """
    stack = torch.stack([one.float() for one in logits])
    if activation == "none":
        return stack.mean(dim=0)
    if activation == "softmax":
        return stack.log_softmax(dim=2).logsumexp(dim=0)
    return logsigmoid(stack).logsumexp(dim=0) - logsigmoid(-stack).logsumexp(dim=0)


def join_members(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of several networks as those of an ensemble, in float16 where that holds them.

    A weight stays as it is where float16 would make it infinite, such as a large variance of a
    batch norm, and where it is no floating-point number.

    Args:
        states: flat state dicts with the same keys.

    Raises:
        ValueError: the keys differ.
    """
    if len({frozenset(state) for state in states}) != 1:
        raise ValueError("the weights of an ensemble must have the same keys: train all alike")
    return {
        f"members.{number}.{key}": _halve(weight)
        for number, state in enumerate(states)
        for key, weight in state.items()
    }


def split_members(state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """The weights of each network in those of an ensemble; nothing in those of one network.

    Raises:
        ValueError: weights of other networks are among them, or those of a member are missing.
    """
    found = [(_MEMBER.fullmatch(key), weight) for key, weight in state.items()]
    if not any(match for match, _ in found):
        return []
    members: dict[int, dict[str, Tensor]] = {}
    for match, weight in found:
        if match is None:
            raise ValueError(
                "the weights are those of an ensemble in part: save its state dict on its own"
            )
        members.setdefault(int(match[1]), {})[match[2]] = weight
    if sorted(members) != list(range(len(members))) or len(members) < 2:
        raise ValueError(
            f"the weights of an ensemble have the members {sorted(members)}: some are missing, "
            "make it anew"
        )
    return [members[number] for number in sorted(members)]


def fit_to_weights(
    network: NestedUNet,
    weights: str | os.PathLike[str],
    *,
    activation: str,
    average: str = "probabilities",
) -> NestedUNet | Ensemble:
    """The network, or where a file holds the weights of several an ensemble of as many.

    The weights are not loaded. Of a file that is not there or cannot be read nothing is said here:
    `load_weights` does.

    Args:
        network: of the design of the members; the first of them.
        weights: the file.
        activation: see `Ensemble`.
        average: "probabilities", or "logits", as nnU-Net averages its folds.

    Raises:
        ValueError: `average` is neither.
    """
    check_choice("average", average, AVERAGES)
    count = _count_members(weights)
    if count == 0:
        return network
    logger.info("the network is an ensemble of %s", count_noun(count, "network"))
    others = [copy.deepcopy(network) for _ in range(count - 1)]
    of_members = "none" if average == "logits" else activation
    return Ensemble([network, *others], activation=of_members)


def _count_members(weights: str | os.PathLike[str]) -> int:
    """How many networks a file holds as an ensemble; 0 where it is of one, or cannot be read."""
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True, mmap=True)
        return len(split_members(state))
    except Exception:  # damaged bytes make torch raise ten kinds of error; who loads them says so
        return 0


def _halve(weight: Tensor) -> Tensor:
    if not weight.is_floating_point():
        return weight
    half = weight.half()
    return half if half.isfinite().equal(weight.isfinite()) else weight
