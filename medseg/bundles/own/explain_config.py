"""Explain config: what a plan leaves to the layers of a bundle, each choice with its rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from medseg.planning.fingerprint import Fingerprint
from medseg.planning.task import LayerChoice
from medseg.transforms import choose_activation

_LOSSES = {
    "HybridLoss": "half the cross-entropy plus Dice, of each output head (UNet++, Zhou 2018)",
}
_OPTIMIZERS = {
    "Adam": "a rate for each weight by its gradients, which needs few steps; learning_rate is the "
    "rate of this optimizer"
}
_OTHER_OPTIMIZER = '`"_only_": {"train": {"optimizer#_target_": "torch.optim.AdamW"}}`'
_AMOUNTS = {
    "RandScaleIntensityd": "factors",
    "RandShiftIntensityd": "offsets",
    "RandAdjustContrastd": "gamma",
    "RandGaussianNoised": "std",
}
"""Transforms of grey values and colours, and which of their arguments says how much."""


def explain_config(
    config: Mapping[str, Any], found: Fingerprint, *, layers: Any
) -> list[LayerChoice]:
    """What a training has in effect beside the keys of its plan, and how each is changed.

    Args:
        config: train.json of the bundle.
        found: what the cases have in common.
        layers: of the task file.
    """
    return [
        _explain_dims(config["spatial_dims"], found),
        *_explain_grid(config, found, layers),
        _explain_component("head_loss", config, _LOSSES, _write_other_loss(config)),
        _explain_component("optimizer", config, _OPTIMIZERS, _OTHER_OPTIMIZER),
        *_explain_crop(config["crop"]),
        _explain_intensity(config),
    ]


def _explain_dims(dims: int, found: Fingerprint) -> LayerChoice:
    if found.dimensions == 2:
        return LayerChoice(
            "spatial_dims", dims, "the images are pictures", "pictures have no other"
        )
    why = "the images are volumes, and neighbouring slices tell what one alone does not"
    if dims == 2:
        why = "asked for by --dims: slice by slice"
    change = f"a bundle under another name, with `--dims {'3d' if dims == 2 else '2d'}`"
    return LayerChoice("spatial_dims", dims, why, change)


def _explain_grid(
    config: Mapping[str, Any], found: Fingerprint, layers: Any
) -> Iterator[LayerChoice]:
    """How axes are turned, and voxels where they are not resampled."""
    if found.dimensions == 2:
        why = "pictures are used pixel by pixel, upright by EXIF"
        yield LayerChoice("orient", "as stored", why, "turn the files of images and labels alike")
        return
    why = "axes run to the right, to the front and to the head in each volume, by its affine"
    change = '`"orient#axcodes": "LPS"`, for axes to the left, to the back and to the head'
    yield LayerChoice("orient", config["orient"]["axcodes"], why, change)
    if "spacing_mm" not in config:
        same = "all cases have it within 1 %, so nothing is resampled"
        coarser = [round(2 * step, 3) for step in found.spacing_mm]
        change = f'`"spacing_mm": {coarser}` and the layer `resample`'
        if isinstance(layers, list):
            added = json.dumps([*layers, "resample"])
            change = f'`"spacing_mm": {coarser}` and `"_layers_": {added}`'
        yield LayerChoice("spacing_mm", list(found.spacing_mm), same, change)


def _write_other_loss(config: Mapping[str, Any]) -> str:
    """How to weigh the parts of the loss of a head, or where labels are plain to take another."""
    if config.get("hybrid_loss", {}).get("fractions") or config.get("ignore"):
        return '`"_only_": {"train": {"+hybrid_loss": {"dice_weight": 2.0}}}` weighs its parts'
    options = {"sigmoid": True}
    if choose_activation(config["classes"]) == "softmax":
        options = {"to_onehot_y": True, "softmax": True}
    return f'`"head_loss": {json.dumps({"_target_": "DiceLoss", **options})}`'


def _explain_component(
    key: str, config: Mapping[str, Any], known: Mapping[str, str], change: str
) -> LayerChoice:
    value = config[key]
    if isinstance(value, str) and value.startswith("@"):
        value = config.get(value[1:], value)
    name = value["_target_"].rpartition(".")[2] if isinstance(value, Mapping) else str(value)
    return LayerChoice(key, name, known.get(name, "named in task.json or by a layer"), change)


def _explain_crop(crop: Mapping[str, Any]) -> Iterator[LayerChoice]:
    """How many patches lie around labels."""
    for place, step in enumerate(crop["transforms"]):
        if isinstance(step, Mapping) and step["_target_"] == "RandCropByPosNegLabeld":
            positive, negative = step.get("pos", 1.0), step.get("neg", 1.0)
            share = positive / (positive + negative)
            why = "so that small structures are seen in each step, each class equally often"
            said = f"{100 * share:.0f} % of the patches around a label"
            change = f'`"crop#transforms#{place}#pos": 3` takes 3 around a label for each other one'
            yield LayerChoice("crop", said, why, change)


def _explain_intensity(config: Mapping[str, Any]) -> LayerChoice:
    amounts, change = [], '`"intensity_prob": 0.0` for none'
    for step in config["intensity_augmentation"]["transforms"]:
        made = config.get(step[1:]) if isinstance(step, str) else step
        if not isinstance(made, Mapping):
            continue
        key = _AMOUNTS.get(made["_target_"])
        if key in made:
            value = made[key]
            if isinstance(value, str) and value.startswith("@"):
                key, value = value[1:], config.get(value[1:], value)
                change = (
                    f'each by its name, as `"{key}": {value}`; `"intensity_prob": 0.0` for none'
                )
            amounts.append(f"{key} {value}")
    chance = config["intensity_prob"]
    why = f"each with the chance intensity_prob {chance}, as devices and their settings differ"
    return LayerChoice("intensity_augmentation", ", ".join(amounts) or "none", why, change)
