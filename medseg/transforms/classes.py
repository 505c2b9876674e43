"""Classes: from the labels of a dataset to the target classes of a task, and from logits back.

A task names its foreground classes as a mapping from class name to the dataset's label values
that it gathers: `{"liver": [1, 2]}` segments the liver with the tumour counted in, and
`{"liver": [1], "tumour": [2]}` tells the two apart. Class indices are 1, 2, ... in that order;
every label value that no class gathers is background, 0.

One foreground class needs one logit channel (sigmoid); several need one channel each and one for
the background (softmax). That rule lives in `logit_channels` and is read in `label_from_logits`.
"""

from collections.abc import Hashable, Mapping, Sequence

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_tensor

Classes = Mapping[str, Sequence[int]]

MOST_CLASSES = 255
"""Foreground classes that a uint8 label map can tell apart."""


def logit_channels(classes: Classes) -> int:
    """Output channels a network needs for `classes`: 1 for one foreground class, else 1 + n.

    Example:
        >>> logit_channels({"liver": [1, 2]}), logit_channels({"liver": [1], "tumour": [2]})
        (1, 3)
    """
    _check_classes(classes)
    return 1 if len(classes) == 1 else 1 + len(classes)


def merge_labels(label: torch.Tensor, classes: Classes) -> torch.Tensor:
    """Class indices (uint8, same shape) of a label map; values that no class gathers become 0."""
    merged = torch.zeros_like(label, dtype=torch.uint8)
    for index, values in enumerate(classes.values(), start=1):
        for value in values:
            merged[label == value] = index
    return merged


def label_from_logits(logits: torch.Tensor) -> torch.Tensor:
    """The most likely class of every voxel: (C, *spatial) logits to (1, *spatial) uint8 indices.

    One channel is a sigmoid logit, foreground where it is above 0 (probability above 0.5; exactly 0
    is background); several channels are softmax logits, of which the first largest wins.

    Raises:
        ValueError: a logit is not a number, which would pass for background without a word.
    """
    if logits.isnan().any():
        raise ValueError(
            f"{int(logits.isnan().sum())} of {logits.numel()} logits are not a number: "
            "the weights are broken, or training diverged; lower the learning rate"
        )
    if logits.shape[0] == 1:
        return (logits > 0).to(torch.uint8)
    return logits.argmax(dim=0, keepdim=True).to(torch.uint8)


class MergeLabels(Transform):
    """Array version of `merge_labels`.

    Args:
        classes: class name -> label values of the dataset, in the order of the class indices.
        label_values: every value that a label map of the dataset may have; None for any.

    Raises:
        TypeError: the values of a class are not listed.
        ValueError: no class, more than 255, a class without values, a value in two classes, or one
            that the dataset does not have.
    """

    def __init__(self, classes: Classes, *, label_values: Sequence[int] | None = None) -> None:
        _check_classes(classes)
        if label_values is not None:
            _check_values(classes, label_values)
        self.classes = {name: tuple(values) for name, values in classes.items()}

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        return merge_labels(convert_to_tensor(img, track_meta=True), self.classes)


class MergeLabelsd(MapTransform):
    """Dictionary version of `MergeLabels`."""

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes,
        *,
        label_values: Sequence[int] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.merge = MergeLabels(classes, label_values=label_values)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.merge(out[key])
        return out


class LabelFromLogits(Transform):
    """Array version of `label_from_logits`."""

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        return label_from_logits(convert_to_tensor(img, track_meta=True))


class LabelFromLogitsd(MapTransform):
    """Dictionary version of `LabelFromLogits`."""

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = LabelFromLogits()(out[key])
        return out


def _check_classes(classes: Classes) -> None:
    if not isinstance(classes, Mapping) or not 1 <= len(classes) <= MOST_CLASSES:
        raise ValueError(
            f"classes must map 1 to {MOST_CLASSES} names to their label values, got {classes!r}: "
            "pass for instance {'liver': [1, 2]}"
        )
    owner: dict[int, str] = {}
    for name, values in classes.items():
        if isinstance(values, (int, float, str)):
            raise TypeError(f"class {name!r} has the label values {values!r}: write a list")
        if not values:
            raise ValueError(f"class {name!r} gathers no label value: name at least one")
        for value in values:
            if value in owner:
                raise ValueError(
                    f"label value {value} is in two classes, {owner[value]!r} and {name!r}: "
                    "leave it in one"
                )
            owner[value] = name


def _check_values(classes: Classes, label_values: Sequence[int]) -> None:
    for name, values in classes.items():
        for value in values:
            if value not in label_values:
                raise ValueError(
                    f"class {name!r} gathers label value {value!r}, the dataset has "
                    f"{list(label_values)}: choose among these, or correct label_values"
                )
