"""Flip axes: mirror images at random along some of their axes."""

from collections.abc import Sequence

from monai.config import KeysCollection
from monai.transforms import Compose, RandFlipd


def flip_axes(keys: KeysCollection, *, prob: float, axes: Sequence[int]) -> Compose:
    """A transform that mirrors along each of the axes with a probability of its own.

    Leave out an axis along which a structure is told from another by its side, such as left and
    right: mirrored, it would have the label of the other.

    Args:
        keys: of the images, (C, *spatial), which are mirrored together.
        prob: for each axis.
        axes: of space, counted from 0.

    Raises:
        ValueError: an axis is named twice.

    Example:
        >>> import torch
        >>> flip = flip_axes(["image"], prob=1.0, axes=[1])
        >>> flip({"image": torch.tensor([[[1, 2], [3, 4]]])})["image"].tolist()
        [[[2, 1], [4, 3]]]
    """
    if len(set(axes)) < len(axes):
        raise ValueError(f"flip_axes names an axis twice, {list(axes)}: name each once")
    return Compose([RandFlipd(keys, prob=prob, spatial_axis=axis) for axis in axes])
