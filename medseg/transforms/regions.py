"""Regions: classes that lie within each other, such as a tumour in a liver that counts it in.

Where a task's classes share label values, as in `{"liver": [1, 2], "tumour": [2]}`, each class is a
region with a sigmoid channel of its own. Regions are disjoint or one lies within the other, and the
inner one is named later, so that a map of class indices is complete: a voxel has the
index of the innermost region that it is in, and is in every region around that one.

Source: Isensee et al., "nnU-Net for Brain Tumor Segmentation", 2020, section 2.2: the loss is of
the nested regions that are scored, not of the labels that tell them apart.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from medseg.base.class_values import IGNORE, Classes, check_regions


def are_regions(classes: Classes) -> bool:
    """Whether some label value is in two classes, so that one lies within the other.

    Example:
        >>> are_regions({"liver": [1, 2], "tumour": [2]}), are_regions({"liver": [1, 2]})
        (True, False)
    """
    values = [value for gathered in classes.values() for value in gathered]
    return len(values) != len(set(values))


def list_members(classes: Classes) -> list[list[int]]:
    """For each class the indices whose voxels belong to it: its own, and those of inner regions.

    Example:
        >>> list_members({"liver": [1, 2], "tumour": [2]})
        [[1, 2], [2]]
        >>> list_members({"liver": [1], "tumour": [2]})
        [[1], [2]]
    """
    values = [set(gathered) for gathered in classes.values()]
    return [
        [index for index, inner in enumerate(values, start=1) if inner <= outer] for outer in values
    ]


def find_outer_index(members: Sequence[int], all_members: Iterable[Sequence[int]]) -> int:
    """The index of the innermost region around a class; 0, the background, where none is.

    Args:
        members: of the class, see `list_members`.
        all_members: of all classes.

    Example:
        >>> find_outer_index([2], list_members({"liver": [1, 2], "tumour": [2]}))
        1
    """
    around = [other for other in all_members if set(other) > set(members)]
    return min(around, key=len)[0] if around else 0


def make_class_masks(label: torch.Tensor, classes: Classes) -> torch.Tensor:
    """A mask for each class, (F, *spatial) uint8, of a map of class indices (1, *spatial).

    A voxel of an inner region is in the outer ones too. `IGNORE` stays in every mask.

    Raises:
        ValueError: a label of several channels.
    """
    if label.shape[0] != 1:
        raise ValueError(
            "class masks must be made of one channel of class indices, got shape "
            f"{tuple(label.shape)}: merge the labels first"
        )
    masks = []
    for indices in list_members(classes):
        mask = torch.zeros_like(label, dtype=torch.uint8)
        for index in indices:
            mask[label == index] = 1
        mask[label == IGNORE] = IGNORE
        masks.append(mask)
    return torch.cat(masks)


class RegionMasksd(MapTransform):
    """Makes masks of the classes where they are regions, for a loss under sigmoid.

    Classes that share no label value, and one alone, keep their map of indices.

    Args:
        keys: maps of class indices (1, *spatial), as `MergeLabelsd` makes them.
        classes: class name -> label values, outer regions first.
        background: make masks in any case, with one of the background before them, as scores do
            that want every class in a channel; ignored voxels are in none of them.
        allow_missing_keys: pass over entries that are absent.

    Example:
        >>> regions = RegionMasksd("label", {"liver": [1, 2], "tumour": [2]})
        >>> regions({"label": torch.tensor([[0, 1, 2]])})["label"].tolist()
        [[0, 1, 1], [0, 0, 1]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes,
        *,
        background: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_regions(classes)
        self.classes = {name: tuple(values) for name, values in classes.items()}
        self.background = background

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        if self.background or are_regions(self.classes):
            for key in self.key_iterator(out):
                label = convert_to_tensor(out[key], track_meta=True)
                masks = make_class_masks(label, self.classes)
                if self.background:
                    masks = torch.cat([(label == 0).to(masks.dtype), masks % IGNORE])
                out[key] = masks
        return out
