"""Weights: those of the folds of a model of nnU-Net as the one file of a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from medseg.bundles.nnunet.checkpoint import Checkpoint

_HEAD = re.compile(r"decoder\.seg_layers\.\d+\.(weight|bias)")


def fit_head(weights: Mapping[str, Tensor], *, one_class: bool) -> dict[str, Tensor]:
    """The weights for as many channels as a bundle has for its classes.

    nnU-Net has a channel for the background beside one class alone, whose softmax is the sigmoid of
    the difference of the two: of the last layer, which is linear, the difference is kept.

    Args:
        weights: of one fold.
        one_class: whether there is one class, and no region.

    Raises:
        ValueError: the last layer has another number of channels than 2 then.
    """
    if not one_class:
        return dict(weights)
    fitted: dict[str, Tensor] = {}
    for key, weight in weights.items():
        if not _HEAD.fullmatch(key):
            fitted[key] = weight
            continue
        if len(weight) != 2:
            raise ValueError(
                f"{key} has {len(weight)} channels, and dataset.json has the background and one "
                "label: the checkpoint is of another training"
            )
        fitted[key] = weight[1:2] - weight[0:1]
    return fitted


def check_weights(
    network: nn.Module, weights: Mapping[str, Tensor], *, checkpoint: Checkpoint, file: str
) -> None:
    """Refuse weights that are not those of the network of the plans.

    Raises:
        ValueError: a key or a shape differs; the line names the trainer where it is none of
            nnU-Net's own.
    """
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in weights.items()}
    if own == given:
        return
    differ = [key for key in {**own, **given} if own.get(key) != given.get(key)]
    first = min(differ, key=lambda key: (key not in own, key not in given, key))
    there, here = (str(shapes.get(first, "absent")) for shapes in (given, own))
    raise ValueError(
        f"{file} does not fit the network of plans.json: {first} is {there} there and {here} "
        f"here, {len(differ)} of {len(own)} differ; it was trained by "
        f"{checkpoint.trainer or 'an unknown trainer'}: a network of a trainer's own is not "
        "imported, and a checkpoint has to lie with the plans of its training"
    )


def join_folds(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of all folds in one state dict, in float32 as they are; of one fold its own."""
    if len(states) == 1:
        return dict(states[0])
    return {
        f"members.{number}.{key}": weight
        for number, state in enumerate(states)
        for key, weight in state.items()
    }


def use_batch_norm(
    options: Mapping[str, object], weights: Mapping[str, Tensor]
) -> dict[str, object]:
    """The options of a network with batch norm where the weights have running statistics.

    Some trainers of nnU-Net, such as nnUNetTrainerBN, change the norm and not the plans.
    """
    changed = dict(options)
    norm = str(options.get("norm"))
    if norm.startswith("InstanceNorm") and any(key.endswith("running_mean") for key in weights):
        changed["norm"] = norm.replace("InstanceNorm", "BatchNorm")
    return changed


def save_weights(state: Mapping[str, Tensor], file: Path) -> None:
    """Write the weights of all folds to a file."""
    torch.save(state, file)
