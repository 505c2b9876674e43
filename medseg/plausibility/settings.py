"""Settings: what weights were trained for, held against what they are used for."""

import logging
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import torch

from medseg.plausibility.trained_on import read_ranges

logger = logging.getLogger(__name__)

SETTINGS = (
    *("classes", "modality", "in_channels", "colour", "spatial_dims"),
    *("window_hu", "intensity_percentiles", "spacing_mm", "fit_size"),
    *("image_channels", "channel_windows"),
)
"""Keys of a config that decide what a network is shown, or what its channels mean."""


_SAFETENSORS_START = re.compile(rb"[\s\S]{4}\0{4}\{")  # the length of its header, which is JSON


def choose_settings(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the choices of a config, as they are kept with the weights.

    Example:
        >>> choose_settings({"fold": 0, "window_hu": [-160, 240]})
        {'window_hu': [-160, 240]}
    """
    return {key: choices[key] for key in SETTINGS if key in choices}


def compare_settings(trained: Mapping[str, Any], used: Mapping[str, Any]) -> list[str]:
    """The settings that differ, each with both values; one that only one side has is not compared.

    Of the classes their names, their order and whether they exclude each other count; the label
    values that each gathers may be those of another dataset.

    Example:
        >>> compare_settings({"window_hu": [-160, 240]}, {"window_hu": [0, 100]})
        ['window_hu: trained with [-160, 240], used with [0, 100]']
    """
    found = []
    for key in SETTINGS:
        if key not in trained or key not in used:
            continue
        before, now = (_make_comparable(key, settings[key]) for settings in (trained, used))
        if before != now:
            found.append(
                f"{key}: trained with {_format_value(before)}, used with {_format_value(now)}"
            )
    return found


def check_settings(
    weights: str | os.PathLike, choices: Mapping[str, Any], *, force: bool = False
) -> None:
    """Refuse weights that were trained for something else than they are used for.

    Args:
        weights: the file; where neither it nor what lies beside it says what it was trained for,
            it passes, and a line of the log says so. One that is missing or damaged passes without
            a word: whoever loads it refuses it.
        choices: of the config that uses them.
        force: log the differences, and go on.

    Raises:
        ValueError: a setting differs.
    """
    trained = _read_trained_settings(weights)
    if not trained:
        if _can_be_loaded(weights):
            logger.warning(
                "it is not known what %s was trained for, so window and classes are not checked: "
                "make sure that they are those of its training",
                weights,
            )
        return
    differences = "; ".join(compare_settings(trained, choices))
    if differences and force:
        logger.warning("%s are used with other settings: %s", weights, differences)
    elif differences:
        raise ValueError(
            f"the weights {weights} were trained for something else ({differences}): use the "
            "settings of the training, or other weights; if the network has the same layers, "
            "--other_settings True uses them anyway"
        )


def list_other_settings(weights: str | os.PathLike, choices: Mapping[str, Any]) -> list[str]:
    """What differs where weights are used knowingly for something else, see `compare_settings`.

    Nothing, where it is not known what they were trained for.
    """
    return compare_settings(_read_trained_settings(weights), choices)


def _read_trained_settings(weights: str | os.PathLike) -> dict[str, Any]:
    is_path = isinstance(weights, (str, os.PathLike))  # `load_weights` refuses anything else
    trained = read_ranges(weights) if is_path else None
    return {} if trained is None else trained.settings


def _can_be_loaded(weights: Any) -> bool:
    """Whether a file of weights is there and whole; of one of safetensors only its start is read.

    Files of PyTorch are mapped, except those of its old form, which are read.
    """
    if not (isinstance(weights, (str, os.PathLike)) and os.path.isfile(weights)):
        return False
    try:
        with open(weights, "rb") as file:
            if _SAFETENSORS_START.match(file.read(9)):
                return True
        mmap = zipfile.is_zipfile(weights)
        torch.load(os.fspath(weights), map_location="cpu", weights_only=True, mmap=mmap)
    except Exception:  # damaged bytes make torch raise ten kinds of error
        return False
    return True


def _make_comparable(key: str, value: Any) -> Any:
    if key != "classes" or not isinstance(value, Mapping):
        return list(value) if isinstance(value, tuple) else value
    values = [each for gathered in value.values() for each in gathered]
    return {"classes": list(value), "overlap": len(set(values)) < len(values)}


def _format_value(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(value["classes"]) + (" (which overlap)" if value["overlap"] else "")
