"""Checkpoint: the weights that nnU-Net saved, read without running anything that they hold."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SCALAR = np.float64(0).__reduce__()[0]
_ALLOWED = [
    np.dtype,
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),  # its name before numpy 2
    *{type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)},
]
"""What a checkpoint of nnU-Net holds beside tensors: numbers of numpy, in its training record."""

_UNSAFE = re.compile(r"(?:GLOBAL|global) ([\w.]+)")


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one fold, and what they say of their training.

    Attributes:
        weights: the state dict of the network.
        trainer: name of the class that trained it.
        configuration: of the plans, such as "3d_fullres".
        mirror_axes: axes along which it was trained mirrored; empty for none.
        epoch: after which it was saved; None if it does not say.
        plans, dataset: the contents of plans.json and dataset.json in the training; empty if it
            does not say.
    """

    weights: dict[str, Tensor]
    trainer: str
    configuration: str
    mirror_axes: tuple[int, ...]
    epoch: int | None
    plans: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint of nnU-Net v2 with `weights_only=True`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, no checkpoint of nnU-Net, or asks for code.
    """
    found = _load(file)
    if not isinstance(found, Mapping) or not isinstance(found.get("network_weights"), Mapping):
        raise ValueError(
            f"{file} has no network_weights: it is no checkpoint of nnU-Net v2, pass one as "
            "nnUNetv2_train writes it"
        )
    weights = {
        key.removeprefix("module.").removeprefix("_orig_mod."): value
        for key, value in found["network_weights"].items()
    }
    if not all(torch.is_tensor(value) for value in weights.values()):
        raise ValueError(
            f"{file} holds other things than tensors among its weights: pass a checkpoint as "
            "nnUNetv2_train writes it"
        )
    if spoilt := [key for key, value in weights.items() if not value.isfinite().all()]:
        raise ValueError(
            f"{file} has weights that are not finite, such as {spoilt[0]}: the training diverged, "
            "take another checkpoint or fold"
        )
    axes = found.get("inference_allowed_mirroring_axes") or ()
    about = found.get("init_args") or {}
    epoch = found.get("current_epoch")
    return Checkpoint(
        weights=weights,
        trainer=str(found.get("trainer_name", "")),
        configuration=str(about.get("configuration", "")),
        mirror_axes=tuple(int(axis) for axis in axes),
        epoch=epoch if isinstance(epoch, int) else None,
        plans=_take_mapping(about.get("plans")),
        dataset=_take_mapping(about.get("dataset_json")),
    )


def _take_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _load(file: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        if asked := _UNSAFE.search(str(error)):
            raise ValueError(
                f"{file} asks for {asked[1]}, which is none of the numbers that a checkpoint of "
                "nnU-Net holds: it is not read, since that could run code; save it anew with its "
                "network_weights, trainer_name, init_args and inference_allowed_mirroring_axes"
            ) from error
        raise ValueError(_describe_damage(file, error)) from error
    except Exception as error:  # damaged bytes make torch raise ten kinds of error
        raise ValueError(_describe_damage(file, error)) from error


def _describe_damage(file: Path, error: Exception) -> str:
    return (
        f"{file} cannot be read ({type(error).__name__}): it is damaged, cut short or no "
        "checkpoint; copy it again"
    )
