"""Instances: the objects of a mask or class map, each with a number of its own.

Objects are separated by the background between them, so two that touch are one. A network learns
to leave that background with border weights, see `medseg.transforms.border_weight`.
"""

from collections.abc import Hashable, Mapping

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_dst_type, convert_to_numpy

from medseg.base.arguments import check_component_options
from medseg.base.masks import label_components

MOST_UINT16 = np.iinfo(np.uint16).max
"""Objects that 16 bits can number, 65535: as many as a 16-bit PNG can hold."""


def label_instances(
    label: np.ndarray, *, min_size: int = 1, connectivity: int | None = None
) -> np.ndarray:
    """The connected pieces of each class of a mask or class map, numbered 1, 2, ... without a gap.

    The numbers follow the class index first, and then the place of an object's first voxel in
    memory order. They are uint16 up to 65535 objects and uint32 beyond, which a PNG cannot hold;
    an empty map has none.

    Args:
        label: booleans or class indices, 0 being background, in any number of dimensions. Voxels of
            two classes are never one object.
        min_size: an object of fewer voxels is left out.
        connectivity: how far apart two voxels of one object may be, from 1 (they share a face) to
            the number of dimensions (a face, an edge or a corner); None and more mean the latter.

    Raises:
        ValueError: a value that is negative or no whole number, or an option outside its range.

    Example:
        >>> label_instances(np.array([1, 1, 0, 1, 2])).tolist()
        [1, 1, 0, 2, 3]
    """
    check_component_options(min_size, connectivity)
    _check_classes(label)
    numbered, total = np.zeros(label.shape, np.int64), 0
    for value in np.unique(label[label != 0]):
        pieces, count = label_components(
            label == value, min_size=min_size, connectivity=connectivity
        )
        numbered += np.where(pieces, pieces + total, 0)
        total += count
    many = total > MOST_UINT16
    return numbered.astype(np.uint32 if many else np.uint16)


class LabelInstances(Transform):
    """`label_instances` of a (1, *spatial) map, as an array or tensor of the same kind and shape.

    Numpy arrays are uint16 or uint32; tensors are int32, which has room for two thousand million
    objects, as few operations of torch take unsigned types beyond 8 bits.

    Args:
        min_size: see `label_instances`.
        connectivity: likewise.

    Raises:
        ValueError: a map of several channels, or what `label_instances` refuses.

    Example:
        >>> LabelInstances()(np.array([[1, 0, 1]])).tolist()
        [[1, 0, 2]]
    """

    def __init__(self, *, min_size: int = 1, connectivity: int | None = None) -> None:
        check_component_options(min_size, connectivity)
        self.min_size = min_size
        self.connectivity = connectivity

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        if img.shape[0] != 1:
            raise ValueError(
                f"instances need a label of one channel, got shape {tuple(img.shape)}: "
                "pass class indices, not one-hot channels"
            )
        numbered = label_instances(
            convert_to_numpy(img)[0], min_size=self.min_size, connectivity=self.connectivity
        )[None]
        if isinstance(img, np.ndarray):
            return numbered
        return convert_to_dst_type(numbered.astype(np.int32), img, dtype=np.int32)[0]


class LabelInstancesd(MapTransform):
    """Dictionary version of `LabelInstances`: the objects go to an entry of their own.

    Args:
        keys: the key of the mask or class map, one alone.
        name: key of the numbered objects; a `MetaTensor` has the map's affine and metadata.
        keep: leave an item as it is that has numbered objects already.
        min_size: see `label_instances`.
        connectivity: likewise.
        allow_missing_keys: pass over an item without map.

    Raises:
        ValueError: several keys, or what `LabelInstances` refuses.

    Example:
        >>> LabelInstancesd("pred")({"pred": np.array([[1, 0, 1]])})["instances"].tolist()
        [[1, 0, 2]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        name: str = "instances",
        keep: bool = False,
        min_size: int = 1,
        connectivity: int | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(
                f"{name!r} must hold the objects of one map, got keys {self.keys}: "
                "use one LabelInstancesd for each map, with a name of its own"
            )
        self.name, self.keep = name, keep
        self.number = LabelInstances(min_size=min_size, connectivity=connectivity)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            if self.keep and self.name in out:
                continue
            out[self.name] = self.number(out[key])
        return out


def _check_classes(label: np.ndarray) -> None:
    if label.dtype == np.bool_:
        return
    valid = (label >= 0) & (label == np.floor(label)) & np.isfinite(label)
    if not valid.all():
        wrong = np.unique(label[~valid])[:3].tolist()
        raise ValueError(
            f"a class map must have whole numbers from 0 on, got {', '.join(map(str, wrong))}: "
            "pass class indices (medseg.transforms.LabelFromLogitsd), not logits"
        )
