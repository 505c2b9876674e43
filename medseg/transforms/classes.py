"""Classes: from the labels of a dataset to the target classes of a task, and from logits back.

A task names its foreground classes as a mapping from class name to the dataset's label values
that it gathers: `{"liver": [1, 2]}` segments the liver with the tumour counted in, and
`{"liver": [1], "tumour": [2]}` separates the two. Class indices are 1, 2, ... in that order;
where a value is in two classes, which are regions then, the last of them has it, see
`medseg.transforms.regions`. Every label value that no class gathers is background, 0. Values that a
dataset marks to be left out become `IGNORE`, see `medseg.transforms.ignored_voxels`.

One foreground class, and regions that lie within each other, need one logit channel each (sigmoid);
several classes apart need one more for the background (softmax). That rule lives in
`count_logit_channels` and `choose_activation` and is read in `make_label_map`.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_tensor

from medseg.base.class_values import (
    IGNORE,
    MOST_CLASSES,
    Classes,
    Ignored,
    check_classes,
    check_values,
    describe_too_many,
    list_ignored_values,
)
from medseg.transforms.regions import are_regions


def count_logit_channels(classes: Classes) -> int:
    """Output channels a network needs: one for each class, and one more under softmax.

    Example:
        >>> count_logit_channels({"liver": [1, 2]})
        1
        >>> count_logit_channels({"liver": [1], "tumour": [2]})
        3
        >>> count_logit_channels({"liver": [1, 2], "tumour": [2]})
        2
    """
    return len(classes) + (choose_activation(classes) == "softmax")


def choose_activation(classes: Classes) -> str:
    """ "sigmoid" for one foreground class and for regions, "softmax" for several classes apart."""
    check_classes(classes)
    return "sigmoid" if len(classes) == 1 or are_regions(classes) else "softmax"


def list_target_values(classes: Classes) -> list[int]:
    """Every label value that a class gathers, sorted: what a task calls foreground.

    Example:
        >>> list_target_values({"liver": [1, 2], "tumour": [2]})
        [1, 2]
    """
    check_classes(classes)
    return sorted({value for values in classes.values() for value in values})


def merge_labels(
    label: torch.Tensor, classes: Classes, *, ignore: Sequence[int] = ()
) -> torch.Tensor:
    """Class indices (uint8, same shape) of a label map.

    Values in `ignore` become `IGNORE`, values that neither it nor a class gathers become 0.
    """
    merged = torch.zeros_like(label, dtype=torch.uint8)
    gathered = [*enumerate(classes.values(), start=1), (IGNORE, ignore)]
    for index, values in gathered:
        for value in filter(partial(_can_hold, label.dtype), values):
            merged[label == value] = index
    return merged


def make_label_map(logits: torch.Tensor, *, regions: bool = False) -> torch.Tensor:
    """The most likely class of every voxel: (C, *spatial) logits to (1, *spatial) uint8 indices.

    One channel is a sigmoid logit, foreground where it is above 0 (probability above 0.5; exactly 0
    is background); several channels are softmax logits, of which the first largest wins.

    Args:
        logits: as the network returns them, for one image.
        regions: each channel is the sigmoid logit of a region; the last region above 0, which is
            the innermost, wins.

    Raises:
        ValueError: a logit is not a number, which would pass for background without a word; or
            there are more classes than indices, 254.
    """
    one_each = logits.shape[0] == 1 or regions
    if (count := logits.shape[0] - (not one_each)) > MOST_CLASSES:
        raise ValueError(describe_too_many(count))
    if logits.isnan().any():
        raise ValueError(
            f"{int(logits.isnan().sum())} of {logits.numel()} logits are not a number: "
            "the weights are broken, or training diverged; lower the learning rate"
        )
    # channel by channel: many times faster than argmax over the first axis, and in less memory
    label = torch.zeros_like(logits[0], dtype=torch.uint8)
    if one_each:
        for index, channel in enumerate(logits, start=1):
            label.masked_fill_(channel > 0, index)
        return label[None]
    best = logits[0]
    for index, channel in enumerate(logits[1:], start=1):
        label.masked_fill_(channel > best, index)
        best = torch.maximum(best, channel)
    return label[None]


class MergeLabels(Transform):
    """Array version of `merge_labels`.

    Args:
        classes: class name -> label values of the dataset, in the order of the class indices.
        label_values: every value that a label map of the dataset may have; None for any.
        ignore: label value or values whose voxels do not count, which become `IGNORE`, 255; None
            for none. Augmentation fills with 0 what it brings in from outside the image: where 0 is
            no background, list it here too.

    Raises:
        TypeError: the values of a class are not listed, or a value to ignore is no whole number.
        ValueError: no class, more than 254, a class without values, a value in two classes or both
            in a class and ignored, or one that the dataset does not have.

    Example:
        >>> MergeLabels({"road": [1]}, ignore=9)(torch.tensor([[0, 1, 9]])).tolist()
        [[0, 1, 255]]
    """

    def __init__(
        self,
        classes: Classes,
        *,
        label_values: Sequence[int] | None = None,
        ignore: Ignored = None,
    ) -> None:
        check_classes(classes)
        check_values(classes, ignore, label_values)
        self.ignore = list_ignored_values(ignore)
        self.classes = {name: tuple(values) for name, values in classes.items()}

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        label = convert_to_tensor(img, track_meta=True)
        return merge_labels(label, self.classes, ignore=self.ignore)


class MergeLabelsd(MapTransform):
    """Dictionary version of `MergeLabels`."""

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes,
        *,
        label_values: Sequence[int] | None = None,
        ignore: Ignored = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.merge = MergeLabels(classes, label_values=label_values, ignore=ignore)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.merge(out[key])
        return out


class LabelFromLogits(Transform):
    """Array version of `make_label_map`.

    Args:
        classes: those of the task; they may be regions. None if the channels are not regions.
    """

    def __init__(self, classes: Classes | None = None) -> None:
        self.regions = classes is not None and are_regions(classes)

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        return make_label_map(convert_to_tensor(img, track_meta=True), regions=self.regions)


class LabelFromLogitsd(MapTransform):
    """Dictionary version of `LabelFromLogits`."""

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes | None = None,
        *,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label = LabelFromLogits(classes)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.label(out[key])
        return out


def _can_hold(dtype: torch.dtype, value: int) -> bool:
    """Whether the type has the value: torch compares 300 with uint8 as if it were 44."""
    if dtype.is_floating_point or dtype == torch.bool:
        return True
    limits = torch.iinfo(dtype)
    return limits.min <= value <= limits.max
