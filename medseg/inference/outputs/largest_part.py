"""Largest part: keep the largest connected part of a class, and say how much was removed."""

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from medseg.base.class_values import Classes, check_names
from medseg.base.masks import find_box, label_components
from medseg.inference.outputs.notes import add_notes
from medseg.inference.outputs.source import get_source_geometry
from medseg.transforms.regions import find_outer_index, list_members

logger = logging.getLogger(__name__)

LEAST_SHARE = 0.01
"""Of a class, the share that has to be removed before the case gets a note: below lie specks."""

_REMEDY = "look at the result before it is used"


class KeepLargestPartd(MapTransform):
    """Keeps the largest connected part of each named class, for organs that are in one piece.

    Voxels are connected where they share a face; of two parts of one size the first stays. A
    removed voxel becomes the class around it, of regions, or background. Where more than
    `LEAST_SHARE` of a class is removed, that is logged and kept with the image as a note.

    MONAI's `KeepLargestConnectedComponent` knows no regions within each other, and does not say how
    much it took.

    Place it behind what restores the label map and before `CheckResultd`.

    Args:
        keys: key of the label map, (1, *spatial), already brought back to the source grid.
        classes: of the task, in order; a region counts with those within it.
        names: of the classes that are in one piece; none of them changes nothing.
        image_key: the image as it went into the network; its meta data know the source grid.

    Raises:
        ValueError: a name is not that of a class.

    Example:
        >>> keep = KeepLargestPartd("pred", classes={"liver": [1]}, names=["liver"])
        >>> keep({"pred": torch.tensor([[[1, 1, 0, 1]]]), "image": image})["pred"].tolist()
        [[[1, 1, 0, 0]]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        classes: Classes,
        names: Sequence[str] = (),
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        check_names("largest_only", names, classes)
        self.members = dict(zip(classes, list_members(classes), strict=True))
        self.names = list(names)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        kept = dict(data)
        for key in self.key_iterator(kept) if self.names else ():
            label = kept[key].clone()
            notes = list(self._remove_parts(label, kept[self.image_key]))
            add_notes(kept[self.image_key], notes)
            for note in notes:
                logger.warning("case %s: %s: %s", kept.get("case", key), note, _REMEDY)
            kept[key] = label
        return kept

    def _remove_parts(self, label: Tensor, image: Tensor) -> Iterator[str]:
        """Change the label map in place, class by class, and yield the notes."""
        values = np.asarray(label[0].cpu())
        for name in self.names:
            members = self.members[name]
            mask = np.isin(values, members)
            smaller, count = find_smaller_parts(mask)
            if not count:
                continue
            outer = find_outer_index(members, self.members.values())
            label[0][torch.from_numpy(smaller).to(label.device)] = outer
            values = np.asarray(label[0].cpu())
            removed, total = int(smaller.sum()), int(mask.sum())
            if removed > LEAST_SHARE * total:
                yield _describe_removal(name, count, removed, total, image)


def find_smaller_parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The voxels of a mask outside its largest connected part, and in how many parts they lie.

    Example:
        >>> find_smaller_parts(np.array([1, 1, 0, 1]) > 0)
        (array([False, False, False,  True]), 1)
    """
    smaller = np.zeros_like(mask)
    if not mask.any():
        return smaller, 0
    box = find_box(mask)
    parts, count = label_components(mask[box], connectivity=1)
    largest = 1 + np.bincount(parts.ravel())[1:].argmax()
    smaller[box] = (parts > 0) & (parts != largest)
    return smaller, count - 1


def _describe_removal(name: str, count: int, removed: int, total: int, image: Tensor) -> str:
    unit, size, digits = "pixels", 1.0, 0
    if image.ndim == 4:
        unit, size = "mL", get_source_geometry(image).voxel_volume_ml
        digits = 1 if total * size >= 10 else 2 if total * size >= 1 else 4
    parts = f"{count} smaller parts were" if count > 1 else "a smaller part was"
    return (
        f"{name}: {parts} removed, {removed * size:.{digits}f} of {total * size:.{digits}f} "
        f"{unit}, because only the largest connected part is kept (largest_only)"
    )
