"""Separate objects: background is drawn between objects that touch, so that a network can learn it.

Connected components need background between two objects. Where the objects of a dataset touch, a
network cannot learn it, so the pixels of either object next to the other one become background. The
original U-Net does so before it computes its border weights, see `medseg.transforms.border_weight`.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015, section 3: the separation border is computed by morphological operations.
"""

from collections.abc import Hashable, Mapping

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from scipy import ndimage


def find_touching(objects: np.ndarray) -> np.ndarray:
    """The voxels of an object that have a voxel of another one beside them, corners included.

    Args:
        objects: ids in any number of dimensions, 0 being background.

    Returns:
        A boolean array of the same shape: two voxels wide along a border, one on either side.

    Example:
        >>> find_touching(np.array([1, 1, 1, 2, 2, 0, 3])).tolist()
        [False, False, True, True, False, False, False]
    """
    ids = objects.astype(np.int64)
    highest = ndimage.maximum_filter(ids, size=3, mode="nearest")
    over = np.where(ids == 0, ids.max(initial=0) + 1, ids)  # background must not be the lowest
    lowest = ndimage.minimum_filter(over, size=3, mode="nearest")
    return (objects != 0) & ((highest != objects) | (lowest != objects))


class SeparateObjectsd(MapTransform):
    """Makes the voxels where objects touch background, in the objects and in their label.

    An object that is nowhere thicker than the border it shares vanishes.

    Args:
        keys: key of the numbered objects, (1, *spatial); one alone.
        label: key of the label map of the same size that is separated with them.
        allow_missing_keys: pass over an item without objects.

    Raises:
        ValueError: objects of several channels, or of another size than the label.

    Example:
        >>> item = {"objects": np.array([[1, 1, 2, 2]]), "label": np.array([[7, 7, 7, 7]])}
        >>> SeparateObjectsd("objects")(item)["label"].tolist()
        [[7, 0, 0, 7]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        label: Hashable = "label",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label = label

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            shapes = tuple(out[key].shape), tuple(out[self.label].shape)
            if shapes[0][0] != 1 or shapes[0] != shapes[1]:
                raise ValueError(
                    f"objects and label must have one channel and one size, got shapes "
                    f"{shapes[0]} and {shapes[1]}: pass numbered objects of the label"
                )
            border = find_touching(convert_to_numpy(out[key])[0])[None]
            for name in (key, self.label):
                separated = np.where(border, 0, convert_to_numpy(out[name]))
                out[name] = convert_to_dst_type(separated, out[name])[0]
        return out
