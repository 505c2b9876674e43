"""Own label map: make one of what the post-processing of a bundle of another origin gives."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from medseg.base.class_values import Classes, check_classes
from medseg.inference.zoo.own_channels import OwnChannels
from medseg.transforms.classes import list_target_values, merge_labels

LABEL_TOLERANCE = 1e-3
"""So far from a whole number a label may be, as by the rounding of an interpolation."""


class MakeLabelMapd(MapTransform):
    """Makes a label map, (1, *spatial) uint8, whose values are the indices of the classes.

    Args:
        keys: what the post-processing gave: a label map, or a mask for each class, on the grid of
            the source.
        channels: knows what the channels and values are.
        classes: name -> values that it gathers; of two with a common value the last has it.

    Raises:
        ValueError: in the call, an output that is missing or no label map, or a value of no class.
    """

    def __init__(self, keys: KeysCollection, channels: OwnChannels, classes: Classes) -> None:
        super().__init__(keys)
        check_classes(classes)
        self.channels = channels
        self.classes = classes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        made = dict(data)
        for key in self.keys:
            if not isinstance(made.get(key), Tensor):
                raise ValueError(
                    f"its post-processing gives no {key}: name the result so in its config"
                )
            found = made[key]
            values = _round(self.channels.number_voxels(found.as_subclass(Tensor).cpu()))
            self._check_values(values)
            label = merge_labels(values, self.classes)
            made[key] = MetaTensor(label, affine=getattr(found, "affine", None))
        return made

    def _check_values(self, values: Tensor) -> None:
        known = [0, *list_target_values(self.classes)]
        others = [value for value in torch.unique(values).tolist() if value not in known]
        if others:
            raise ValueError(
                f"its label map holds {others[0]:g}, which no class has: name it with --classes, "
                "such as \"{'liver': [1], 'tumour': [2]}\""
            )


def _round(values: Tensor) -> Tensor:
    """The values as whole numbers; refuse others."""
    whole = values.round()
    odd = values[(values - whole).abs() > LABEL_TOLERANCE]
    if len(odd):
        raise ValueError(
            f"its post-processing gives {odd[0]:g}, which is no class: let it end with "
            "AsDiscreted, and set nearest_interp where Invertd comes behind that"
        )
    return whole.int()
