"""Classes: the labels of nnU-Net's dataset.json as the classes of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medseg.base.class_values import (
    MOST_CLASSES,
    check_name,
    check_regions,
    describe_too_many,
)

BACKGROUND, IGNORE = "background", "ignore"


@dataclass(frozen=True)
class Labels:
    """What the channels of a network of nnU-Net stand for.

    Attributes:
        classes: name -> label values, in the order of the channels.
        regions: whether each channel is a region on its own, under sigmoid.
        channels: that the network of the checkpoint gives.
        notes: what is other than in nnU-Net, one line each.
    """

    classes: dict[str, list[int]]
    regions: bool
    channels: int
    notes: tuple[str, ...] = ()


def read_labels(dataset: Mapping[str, Any]) -> Labels:
    """The labels of a dataset.json of nnU-Net v2.

    Raises:
        ValueError: there are none, they are not counted from 0 without gaps, they are regions that
            do not lie within each other, or a name is none.

    Example:
        >>> read_labels({"labels": {"background": 0, "liver": 1, "tumour": 2}}).channels
        3
    """
    labels = dataset.get("labels")
    if not isinstance(labels, Mapping) or BACKGROUND not in labels:
        raise ValueError(
            "dataset.json has no labels with names to values and a background, as nnU-Net v2 "
            "writes them: it is not that of a model of nnU-Net v2"
        )
    for name in labels:
        check_name(name)
    values = {name: _list_values(name, one) for name, one in labels.items()}
    if values[BACKGROUND] != [0]:
        raise ValueError(f"dataset.json has the background {labels[BACKGROUND]!r}: it must be 0")
    notes = []
    if IGNORE in values:
        notes.append("the label ignore marks voxels in training alone: no class")
    classes = {n: v for n, v in values.items() if n not in (BACKGROUND, IGNORE) and v != [0]}
    if not classes:
        raise ValueError("dataset.json has no labels but the background: there is nothing to find")
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"dataset.json: {describe_too_many(len(classes))}, and train it anew")
    if any(isinstance(one, list) and len(one) > 1 for one in labels.values()):
        return _read_regions(classes, dataset, notes)
    order = sorted(classes, key=lambda name: classes[name])
    found = [classes[name][0] for name in order]
    if found != list(range(1, len(found) + 1)):
        raise ValueError(
            f"dataset.json has the label values {', '.join(map(str, found))}: nnU-Net counts from "
            "1 without gaps, so that these are of another training: put its dataset.json there"
        )
    return Labels({n: classes[n] for n in order}, False, len(order) + 1, tuple(notes))


def _read_regions(
    classes: dict[str, list[int]], dataset: Mapping[str, Any], notes: list[str]
) -> Labels:
    painted = dataset.get("regions_class_order")
    if not isinstance(painted, list) or len(painted) != len(classes):
        raise ValueError(
            f"dataset.json has {len(classes)} regions and regions_class_order {painted!r}: it must "
            "have a value for each region"
        )
    try:
        check_regions(classes)
    except ValueError as error:
        raise ValueError(f"the regions of dataset.json: {error}") from error
    gathered = [value for values in classes.values() for value in values]
    if len(classes) > 1 and len(gathered) == len(set(gathered)):
        raise ValueError(
            "no region of dataset.json lies in another: such a network finds each on its own, and "
            "classes that share no voxel are not taken for regions here"
        )
    for place, (name, value) in enumerate(zip(classes, painted, strict=True), start=1):
        if str(value) != str(place):
            notes.append(f"{name} has the value {place} in label maps, {value} in nnU-Net's")
    return Labels(classes, True, len(classes), tuple(notes))


def _list_values(name: str, value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in values):
        raise ValueError(
            f"dataset.json has the label {name!r} with {value!r}: it must be a whole number, or "
            "several for a region"
        )
    return sorted(values)
