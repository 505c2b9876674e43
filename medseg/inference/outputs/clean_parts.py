"""Clean parts: leave out small connected parts of a class, and fill its holes."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from medseg.base.class_values import Classes, check_names
from medseg.base.masks import label_components
from medseg.inference.outputs.source import get_source_geometry
from medseg.transforms.regions import find_outer_index, list_members

logger = logging.getLogger(__name__)


class CleanPartsd(MapTransform):
    """Leaves out the small parts of some classes and fills the holes of others.

    Voxels are connected where they share a face. A voxel that is left out becomes the class around
    it, of regions, or background. A hole is filled where it is background or a class around, so
    that no other structure in it is lost. `medseg crossval` finds out for which classes this helps.

    MONAI's `RemoveSmallObjects` and `FillHoles` know neither a size for each class nor regions
    within each other.

    Place it behind what restores the label map and before `KeepLargestPartd`.

    Args:
        keys: key of the label map, (1, *spatial), already brought back to the source grid.
        classes: of the task, in order; a region counts with those within it.
        smallest_part: class -> size; smaller parts of it are left out; in mL, of pictures in
            pixels.
        fill_holes: names of classes.
        image_key: the image as it went into the network; its meta data know the source grid.

    Raises:
        ValueError: a name is not that of a class.

    Example:
        >>> clean = CleanPartsd("pred", classes={"cell": [1]}, smallest_part={"cell": 2})
        >>> label = torch.tensor([[[1, 0, 1, 1]]])
        >>> clean({"pred": label, "image": torch.zeros(1, 1, 4)})["pred"].tolist()
        [[[0, 0, 1, 1]]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        classes: Classes,
        smallest_part: Mapping[str, float] | None = None,
        fill_holes: Sequence[str] = (),
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.smallest_part = dict(smallest_part or {})
        self.fill_holes = list(fill_holes)
        check_names("smallest_part", self.smallest_part, classes)
        check_names("fill_holes", fill_holes, classes)
        self.members = dict(zip(classes, list_members(classes), strict=True))
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        cleaned = dict(data)
        if not self.smallest_part and not self.fill_holes:
            return cleaned
        for key in self.key_iterator(cleaned):
            label = cleaned[key].clone()
            unit = find_part_unit(cleaned[self.image_key])
            values = np.asarray(label[0].cpu())
            for name, size in self.smallest_part.items():
                values = self._drop(values, name, size / unit)
            for name in self.fill_holes:
                values = self._fill(values, name)
            label[0] = torch.from_numpy(values).to(label.device)
            cleaned[key] = label
        return cleaned

    def _drop(self, values: NDArray, name: str, voxels: float) -> NDArray:
        members = self.members[name]
        small = find_small_parts(np.isin(values, members), voxels)
        outer = find_outer_index(members, self.members.values())
        return np.where(small, outer, values).astype(values.dtype)

    def _fill(self, values: NDArray, name: str) -> NDArray:
        members = self.members[name]
        around = [own[0] for own in self.members.values() if set(own) > set(members)]
        holes = find_holes(np.isin(values, members)) & np.isin(values, [0, *around])
        return np.where(holes, members[0], values).astype(values.dtype)


def find_small_parts(mask: NDArray[np.bool_], voxels: float) -> NDArray[np.bool_]:
    """The voxels of a mask that lie in connected parts of fewer than so many voxels.

    Example:
        >>> find_small_parts(np.array([1, 0, 1, 1]) > 0, 2)
        array([ True, False, False, False])
    """
    parts, _ = label_components(mask, connectivity=1)
    is_small = np.bincount(parts.ravel()) < voxels
    is_small[0] = False
    small: NDArray[np.bool_] = is_small[parts]
    return small


def find_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels outside a mask that cannot be reached from the border of the image.

    Example:
        >>> find_holes(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]) > 0)[1]
        array([False,  True, False])
    """
    holes: NDArray[np.bool_] = ndimage.binary_fill_holes(_flatten(mask)).reshape(mask.shape) & ~mask
    return holes


def find_part_unit(image: Tensor) -> float:
    """The size of a voxel by which parts are measured: in mL, of a picture 1, a pixel."""
    return get_source_geometry(image).voxel_volume_ml if image.ndim == 4 else 1.0


def _flatten(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without its axes of one voxel, along which everything would be open."""
    flat = np.squeeze(mask)
    return flat if flat.ndim > 1 else mask
