"""Weights: load a state dict into a NestedUNet, or say in one line why it does not fit."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from medseg.base.text import count_noun
from medseg.networks.ensemble import Ensemble, split_members
from medseg.networks.nested import NestedUNet
from medseg.networks.topology import TOPOLOGIES, Topology

logger = logging.getLogger(__name__)

WRAPPERS = ("module.", "_orig_mod.", "network.", "net.", "model.", "ema_model.")
"""What DataParallel, DistributedDataParallel, torch.compile and training loops put before keys."""

_NAMELESS = "shadow_params"
"""Where torch-ema keeps its running means: a list, without the names of the weights."""

AVERAGED = "n_averaged"
"""What `torch.optim.swa_utils.AveragedModel` counts, beside the keys of its network."""

_STATE_KEYS = ("state_dict", "model_state_dict", "model", "network", "net")
"""Where training loops keep the weights in a checkpoint that holds more."""

_SAFETENSORS_START = re.compile(rb"[\s\S]{4}\0{4}\{")
"""The length of the header, in 8 bytes, and the JSON object that it is."""

NODE = r"nodes\.x(\d+)_(\d+)\."
"""How the keys of node X(i, j) start."""


Network = TypeVar("Network", bound=NestedUNet | Ensemble)


def load_weights(
    network: Network, weights: str | os.PathLike[str] | Mapping[str, Tensor]
) -> Network:
    """Load weights from a file or a state dict into the network, and return the network.

    Weights stored in float16 or bfloat16 are converted to the network's own type. A network that
    was pruned, or built with `level`, takes its own weights, or those of the whole network with
    deep supervision, of which it keeps its part. An `Ensemble` takes what `join_members` made. A
    network that the weights do not fit is left as it was.

    What wraps a network puts a word before each of its keys, such as DataParallel's "module.", and
    training loops keep weights under a key of a larger checkpoint, such as "state_dict". Both are
    taken off where this is not ambiguous, which is logged.

    Args:
        network: changed in place.
        weights: a flat state dict, or the file of one as `torch.save` or safetensors write it, told
            by its first bytes. Files are read with `weights_only=True`, so that they cannot run
            code.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: `weights` is neither a path nor a mapping.
        ImportError: the file is one of safetensors, which is not installed.
        ValueError: the file is damaged or holds no state dict or several, keys are wrapped in part,
            or a key or a shape differs.

    Example:
        >>> network = NestedUNet(2, 1, 2, channels=(8, 16, 32), deep_supervision=True)
        >>> load_weights(network.prune(1), network.state_dict()).level
        1
    """
    name = _name(weights)
    pairs = [
        (member, _keep_pruned_part(member, state))
        for member, state in _assign(network, read_state(weights), name=name)
    ]
    for member, part in pairs:
        _check_fit(member, part, name=name)
    for member, part in pairs:
        member.load_state_dict(part)
    return network


def _assign(
    network: NestedUNet | Ensemble, state: Mapping[str, Tensor], *, name: str
) -> list[tuple[NestedUNet, Mapping[str, Tensor]]]:
    """Each network with its weights: of an ensemble each member."""
    states: list[Mapping[str, Tensor]] = [*split_members(state)] or [state]
    members = network.list_members() if isinstance(network, Ensemble) else [network]
    if len(states) != len(members):
        raise ValueError(
            f"{name} are those of {count_noun(len(states), 'network')}, and here "
            f"{'is' if len(members) == 1 else 'are'} {len(members)}: pass those of one, such as "
            "the run of a fold, or those of as many"
        )
    return list(zip(members, states, strict=True))


def read_state(weights: str | os.PathLike[str] | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The flat state dict of a file, or in a larger checkpoint, without what wraps its keys.

    Raises as `load_weights`, but for what depends on a network.
    """
    name = _name(weights)
    state = weights if isinstance(weights, Mapping) else _read(weights, name=name)
    return _strip_wrappers(_drop_average_count(_find_state_dict(state, name=name)), name=name)


def _name(weights: str | os.PathLike[str] | Mapping[str, Tensor]) -> str:
    """What weights are called in messages; refuse what are none."""
    if not isinstance(weights, str | os.PathLike | Mapping):
        raise TypeError(
            f"weights must be a file or a flat state dict, got {weights!r}: pass for instance "
            "'models/model.pt'"
        )
    return "the weights" if isinstance(weights, Mapping) else f"weights {os.fspath(weights)}"


def _read(path: str | os.PathLike[str], *, name: str) -> Mapping[str, Any]:
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{name} do not exist: train the bundle first, or pass --weights with their file, "
            "or a bundle that has weights, see `medseg bundles list`"
        )
    with open(path, "rb") as file:
        is_safetensors = _SAFETENSORS_START.match(file.read(9)) is not None
        file.seek(0)
        try:
            if is_safetensors:
                return _read_safetensors(path, name=name)
            return torch.load(file, map_location="cpu", weights_only=True)
        except ImportError:
            raise
        except Exception as error:  # damaged bytes make torch raise ten kinds of error
            raise ValueError(
                f"{name} cannot be read ({type(error).__name__}): the file is damaged, cut short "
                "or no PyTorch state dict; copy it again and compare its checksum"
            ) from error


def _read_safetensors(path: str | os.PathLike[str], *, name: str) -> Mapping[str, Any]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(
            f"{name} are a file of safetensors, which is not installed: pip install safetensors, "
            "or pass a file that torch.save wrote"
        ) from error
    return load_file(path)


def _find_state_dict(state: Any, *, name: str) -> Mapping[str, Tensor]:
    """The state dict, which a checkpoint may hold under a key, or under a key within a key.

    Of several the one under one of `_STATE_KEYS` is taken; the others are running means of it.
    """
    if _is_flat(state):
        return state
    if not isinstance(state, Mapping):
        state = {}
    inner = [k for k in _STATE_KEYS if _is_flat(state.get(k))]
    inner = inner or [k for k, value in state.items() if _is_flat(value)]
    if len(inner) > 1:
        raise ValueError(
            f"{name} hold several state dicts ({', '.join(inner)}): save the one of the network on "
            "its own"
        )
    deeper = [k for k in _STATE_KEYS if isinstance(state.get(k), Mapping)]
    if not inner and len(deeper) == 1:
        return _find_state_dict(state[deeper[0]], name=name)
    if _NAMELESS in state:
        raise ValueError(
            f"{name} hold running means without their names ({_NAMELESS}, as torch-ema saves "
            "them): copy them to the network with ema.copy_to() and save network.state_dict()"
        )
    if not inner:
        raise ValueError(f"{name} must be a flat state dict: save network.state_dict() on its own")
    logger.warning("%s: the state dict under %r was taken", name, inner[0])
    return state[inner[0]]


def _is_flat(state: Any) -> bool:
    return (
        isinstance(state, Mapping)
        and len(state) > 0
        and all(isinstance(k, str) and torch.is_tensor(v) for k, v in state.items())
    )


def _drop_average_count(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights without the count that `torch.optim.swa_utils.AveragedModel` stores with them.

    The count is dropped only if all other keys begin with "module.", as in that class.
    """
    others = {key: value for key, value in state.items() if key != AVERAGED}
    is_averaged = bool(others) and all(key.startswith(WRAPPERS[0]) for key in others)
    return others if is_averaged else state


def _strip_wrappers(state: Mapping[str, Tensor], *, name: str) -> Mapping[str, Tensor]:
    """The weights by the keys of the network itself, without the prefixes of wrappers.

    Raises:
        ValueError: some keys are wrapped and some are not, or two become one.
    """
    taken = ""
    while word := next((w for w in WRAPPERS if any(k.startswith(w) for k in state)), ""):
        bare = [key for key in state if not key.startswith(word)]
        if bare:
            raise ValueError(
                f"{name} are wrapped in part: {len(state) - len(bare)} of {len(state)} keys begin "
                f"with {word}, {bare[0]} does not: save network.state_dict() on its own"
            )
        state = {key.removeprefix(word): value for key, value in state.items()}
        taken += word
    if taken:
        logger.warning("%s: the prefix %s was removed from every key", name, taken)
    return state


def _keep_pruned_part(network: NestedUNet, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The part of a whole network's weights that a pruned network keeps; else all of them.

    Every key and shape must be the whole network's: its topology has keys of its own, whereas a
    part of it may look like a part of another.
    """
    own = network.state_dict()
    if not isinstance(network, NestedUNet) or network.level is None or given.keys() == own.keys():
        return given
    if {key: value.shape for key, value in given.items()} != network.blueprint.list_shapes():
        return given
    return {key: given[key] for key in own}


def _check_fit(network: NestedUNet, given: Mapping[str, Tensor], *, name: str) -> None:
    own = network.state_dict()
    _check_axes(own, given, name=name)
    _check_classes(own, given, name=name)
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    changed = [key for key in own if key in given and own[key].shape != given[key].shape]
    if first := next(iter(changed + missing + unexpected), None):
        nested = isinstance(network, NestedUNet)
        there = f"a {_describe(given, _list_topologies(given))}" if nested else "another network"
        here = _describe(own, network.topology.name) if nested else type(network).__name__
        raise ValueError(
            f"{name} fit {there}, this network is a {here}: "
            f"{first} is {_describe_shape(given, first)} "
            f"there and {_describe_shape(own, first)} here, {len(missing)} keys are missing, "
            f"{len(unexpected)} "
            f"unexpected, {len(changed)} of another shape; build the network as it was trained"
        )


def _check_axes(own: Mapping[str, Tensor], given: Mapping[str, Tensor], *, name: str) -> None:
    """Refuse weights of a network with another number of axes."""
    there, here = (max((w.ndim for w in state.values()), default=0) - 2 for state in (given, own))
    if there != here and there in (1, 2, 3):
        raise ValueError(
            f"{name} are those of a {there}D network, this one is {here}D: pass the weights that "
            "belong to it"
        )


def _check_classes(own: Mapping[str, Tensor], given: Mapping[str, Tensor], *, name: str) -> None:
    """Refuse weights that differ only in the channels of their heads."""
    if own.keys() != given.keys():
        return
    changed = [key for key in own if own[key].shape != given[key].shape]
    if changed and all(re.match(r"nodes\.\w+\.head\.", key) for key in changed):
        there, here = given[changed[0]].shape[0], own[changed[0]].shape[0]
        raise ValueError(
            f"{name} give {count_noun(there, 'output channel')}, this network has {here}: pass the "
            "classes, or out_channels, that it was trained with"
        )


def _describe_shape(state: Mapping[str, Tensor], key: str) -> str:
    return str(tuple(state[key].shape)) if key in state else "absent"


def _describe(state: Mapping[str, Tensor], topology: str) -> str:
    heads = {
        match[1]: weight.shape[0]
        for key, weight in state.items()
        if (match := re.match(r"nodes\.(\w+)\.head\.", key))
    }
    count = f"{len(heads)} head{'s' * (len(heads) != 1)}"
    out = f" for {count_noun(max(heads.values()), 'output channel')}" if heads else ""
    return f"{topology} with channels {_find_channels(state)} and {count}{out}"


def _find_channels(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Channels of each level, read off the last convolution of its first plain or residual node."""
    last = NODE + r"(second\.conv|first\.conv\.unit1\.conv)\.weight"
    widths: dict[str, int] = {}
    for key, weight in state.items():
        if match := re.fullmatch(last, key):
            widths.setdefault(match[1], weight.shape[0])
    return tuple(widths.values())


def _list_topologies(state: Mapping[str, Tensor]) -> str:
    """Names of topologies with weights for the same inputs: whole ones, or else their parts."""
    weighed = {match[1] for key in state if (match := re.match(r"nodes\.(\w+\.rescale\.\d+)", key))}
    depth = _find_depth(state)
    wholes = [build(depth) for build in TOPOLOGIES.values()]
    names = [whole.name for whole in wholes if _list_inputs_with_weights(whole) == weighed]
    names = names or [
        whole.name
        for whole in wholes
        if any(_list_inputs_with_weights(whole.prune(level)) == weighed for level in whole.levels)
    ]
    return " or ".join(names) if weighed and names else "network of another kind"


def _find_depth(state: Mapping[str, Tensor]) -> int:
    """Number of down-samplings; a decoder node reads at least the level below its own."""
    nodes = {(match[1], match[2]) for key in state if (match := re.match(NODE, key))}
    return max((int(level) + (column != "0") for level, column in nodes), default=0)


def _list_inputs_with_weights(topology: Topology) -> set[str]:
    """The inputs that have weights: up-sampled ones, and every one of a full-scale node."""
    return {
        f"{node.key}.rescale.{place}"
        for node, inputs in topology.table.items()
        for place, (_, rise) in enumerate(inputs)
        if rise > 0 or (topology.full_scale and node.column > 0)
    }
