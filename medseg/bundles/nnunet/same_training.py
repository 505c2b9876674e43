"""Same training: whether checkpoints, plans and labels that lie together were trained together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.bundles.nnunet.checkpoint import Checkpoint
from medseg.bundles.nnunet.classes import Labels, read_labels
from medseg.bundles.nnunet.configuration import Configuration, read_configuration

SEEN = (
    *("spacing_mm", "patch_size", "axes", "schemes", "properties", "inside", "orientation"),
    *("order", "slices", "slices_of_logits", "anisotropy"),
)
"""What decides what the network sees; its layers are held against the weights."""

_STATED = ("channel_names", "regions_class_order")
"""What else of dataset.json decides on the labels."""


def check_folds(read: Mapping[str, Checkpoint]) -> None:
    """Refuse folds of different trainings.

    Args:
        read: fold -> its checkpoint.

    Raises:
        ValueError: they differ in their configuration, or in the axes of mirroring.
    """
    for name in ("configuration", "mirror_axes"):
        values = {fold: getattr(one, name) for fold, one in read.items()}
        if len(set(values.values())) > 1:
            said = ", ".join(f"{value} in fold {fold}" for fold, value in values.items())
            raise ValueError(
                f"the folds differ in their {name} ({said}): they are of different trainings, "
                "name those of one by --folds"
            )


def check_training(
    found: Configuration,
    labels: Labels,
    checkpoint: Checkpoint,
    *,
    dataset: Mapping[str, Any],
    file: Path,
) -> None:
    """Refuse plans or labels that are not those that a checkpoint was trained with.

    Raises:
        ValueError: they differ in what the network sees, or what it finds.
    """
    differ = []
    if checkpoint.plans:
        trained = read_configuration(checkpoint.plans, found.name)
        differ = [
            f"{key} {getattr(trained, key)}, in plans.json {getattr(found, key)}"
            for key in SEEN
            if getattr(trained, key) != getattr(found, key)
        ]
    if checkpoint.dataset and read_labels(checkpoint.dataset).classes != labels.classes:
        named = ", ".join(read_labels(checkpoint.dataset).classes)
        differ.append(f"the labels {named}, in dataset.json {', '.join(labels.classes)}")
    differ += [
        f"{key} {checkpoint.dataset[key]}, in dataset.json {dataset.get(key)}"
        for key in _STATED
        if key in checkpoint.dataset and checkpoint.dataset[key] != dataset.get(key)
    ]
    dims = found.spatial_dims
    if any(not 0 <= axis < dims for axis in checkpoint.mirror_axes):
        differ.append(f"mirroring along {checkpoint.mirror_axes}, of a network of {dims} axes")
    if differ:
        raise ValueError(
            f"{file} was trained with other settings than lie beside it ({'; '.join(differ)}): put "
            "plans.json and dataset.json of its training there"
        )
