"""Explain config: what a plan leaves to the layers of a bundle, each choice with its rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medseg.planning.fingerprint import Fingerprint
from medseg.planning.task import Choice

_LOSSES = {
    "HybridLoss": "half the cross-entropy plus Dice, of each output head (UNet++, Zhou 2018)",
}
_OPTIMIZERS = {
    "Adam": "a rate for each weight by its gradients, which needs few steps; learning_rate is the "
    "rate of this optimizer"
}
_AMOUNTS = {
    "RandScaleIntensityd": "factors",
    "RandShiftIntensityd": "offsets",
    "RandAdjustContrastd": "gamma",
    "RandGaussianNoised": "std",
}
"""Transforms of grey values and colours, and which of their arguments says how much."""


def explain_config(config: Mapping[str, Any], found: Fingerprint) -> list[Choice]:
    """What a training has in effect beside the keys of its plan.

    Args:
        config: train.json of the bundle.
        found: what the cases have in common.
    """
    return [
        _explain_dims(config["spatial_dims"], found),
        *_explain_grid(config, found),
        _explain_component("loss", config["head_loss"], config, _LOSSES),
        _explain_component("optimizer", config["optimizer"], config, _OPTIMIZERS),
        *_explain_crop(config["crop"]),
        _explain_intensity(config),
    ]


def _explain_dims(dims: int, found: Fingerprint) -> Choice:
    why = "the images are volumes, and neighbouring slices tell what one alone does not"
    if found.dimensions == 2:
        why = "the images are pictures"
    elif dims == 2:
        why = "asked for by --dims: slice by slice"
    return Choice("spatial_dims", dims, why)


def _explain_grid(config: Mapping[str, Any], found: Fingerprint) -> Iterator[Choice]:
    """How axes are turned, and voxels where they are not resampled."""
    if found.dimensions == 2:
        yield Choice("orient", "as stored", "pictures are used pixel by pixel, upright by EXIF")
        return
    why = "axes run to the right, to the front and to the head in each volume, by its affine"
    yield Choice("orient", config["orient"]["axcodes"], why)
    if "spacing_mm" not in config:
        same = "all cases have it within 1 %, so nothing is resampled"
        yield Choice("spacing_mm", list(found.spacing_mm), same)


def _explain_component(
    key: str, value: Any, config: Mapping[str, Any], known: Mapping[str, str]
) -> Choice:
    if isinstance(value, str) and value.startswith("@"):
        value = config.get(value[1:], value)
    name = value["_target_"].rpartition(".")[2] if isinstance(value, Mapping) else str(value)
    return Choice(key, name, known.get(name, "named in task.json or by a layer"))


def _explain_crop(crop: Mapping[str, Any]) -> Iterator[Choice]:
    """How many patches lie around labels."""
    for step in crop["transforms"]:
        if isinstance(step, Mapping) and step["_target_"] == "RandCropByPosNegLabeld":
            positive, negative = step.get("pos", 1.0), step.get("neg", 1.0)
            share = positive / (positive + negative)
            why = "so that small structures are seen in each step, each class equally often"
            yield Choice("crop", f"{100 * share:.0f} % of the patches around a label", why)


def _explain_intensity(config: Mapping[str, Any]) -> Choice:
    amounts = []
    for step in config["intensity_augmentation"]["transforms"]:
        made = config.get(step[1:]) if isinstance(step, str) else step
        if not isinstance(made, Mapping):
            continue
        key = _AMOUNTS.get(made["_target_"])
        if key in made:
            value = made[key]
            if isinstance(value, str) and value.startswith("@"):
                key, value = value[1:], config.get(value[1:], value)
            amounts.append(f"{key} {value}")
    why = f"each with the chance intensity_prob {config['intensity_prob']}, as scanners differ"
    return Choice("intensity_augmentation", ", ".join(amounts) or "none", why)
