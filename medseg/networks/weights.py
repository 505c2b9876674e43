"""Weights: loads a state dict into a NestedUNet, or says in one line why it does not fit."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from medseg.networks.nested import NestedUNet
from medseg.networks.topology import TOPOLOGIES, Topology


def load_weights(
    network: NestedUNet, weights: str | os.PathLike[str] | Mapping[str, Tensor]
) -> NestedUNet:
    """Load weights from a file or a state dict into the network, and return the network.

    Weights stored in float16 or bfloat16 are converted to the network's own type. A network that
    the weights do not fit is left as it was. To run a pruned network, load first and prune then.

    Args:
        network: changed in place.
        weights: a flat state dict, or the file of one as `torch.save` writes it. Files are read
            with `weights_only=True`, so that they cannot run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or holds no flat state dict, or a key or a shape differs.

    Example:
        >>> network = NestedUNet(2, 1, 2, channels=(8, 16, 32))
        >>> load_weights(network, network.state_dict()) is network
        True
    """
    if isinstance(weights, Mapping):
        name, state = "the weights", weights
    else:
        name = f"weights {os.fspath(weights)}"
        state = _read(weights, name=name)
    _check_fit(network, state, name=name)
    network.load_state_dict(state)
    return network


def _read(path: str | os.PathLike[str], *, name: str) -> Mapping[str, Tensor]:
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{name} do not exist: train the bundle first, or pass --weights with their file"
        )
    with open(path, "rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged bytes make torch raise ten kinds of error
            raise ValueError(
                f"{name} cannot be read ({type(error).__name__}): the file is damaged, cut short "
                "or no PyTorch state dict; copy it again and compare its checksum"
            ) from error


def _check_fit(network: NestedUNet, given: Mapping[str, Any], *, name: str) -> None:
    if not isinstance(given, Mapping) or not all(torch.is_tensor(v) for v in given.values()):
        raise ValueError(f"{name} must be a flat state dict: save network.state_dict() on its own")
    own = network.state_dict()
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    changed = [key for key in own if key in given and own[key].shape != given[key].shape]
    if first := next(iter(changed + missing + unexpected), None):
        raise ValueError(
            f"{name} fit a {_describe(given, _topologies(given))}, this network is a "
            f"{_describe(own, network.topology.name)}: {first} is {_shape(given, first)} there and "
            f"{_shape(own, first)} here, {len(missing)} keys are missing, {len(unexpected)} "
            f"unexpected, {len(changed)} of another shape; build the network as it was trained"
        )


def _shape(state: Mapping[str, Tensor], key: str) -> str:
    return str(tuple(state[key].shape)) if key in state else "absent"


def _describe(state: Mapping[str, Tensor], topology: str) -> str:
    heads = sum(key.endswith(".head.weight") for key in state)
    return f"{topology} with channels {_channels(state)} and {heads} head{'s' * (heads != 1)}"


def _channels(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Channels of each level, read off the encoder."""
    encoder = r"nodes\.x\d+_0\.second\.conv\.weight"
    return tuple(weight.shape[0] for key, weight in state.items() if re.fullmatch(encoder, key))


def _topologies(state: Mapping[str, Tensor]) -> str:
    """Names of the topologies whose up-sampled inputs stand where the state dict has them."""
    raised = {match[1] for key in state if (match := re.match(r"nodes\.(\w+\.rescale\.\d+)", key))}
    depth = max(0, len(_channels(state)) - 1)
    names = [name for name, build in TOPOLOGIES.items() if _raised(build(depth)) == raised]
    return " or ".join(names) if raised and names else "network of another kind"


def _raised(topology: Topology) -> set[str]:
    return {
        f"{node.key}.rescale.{place}"
        for node, inputs in topology.table.items()
        for place, (_, rise) in enumerate(inputs)
        if rise > 0
    }
