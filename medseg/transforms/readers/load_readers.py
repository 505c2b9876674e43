"""Load readers: the class indices of the labels that several readers drew of a case."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.data.image_reader import ImageReader
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Transform

READERS = "readers"
"""Key of a case that has the path of each reader's label."""


class LoadReaders(Transform):
    """Reads the labels of a case's readers, as a bundle reads the label itself.

    Args:
        reader: of label files.
        merge: makes class indices of what is under "label", such as `MergeLabelsd`.

    Example:
        >>> LoadReaders(None, lambda case: case)({"case": "a"})
        {}
    """

    def __init__(
        self,
        reader: ImageReader | None,
        merge: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        self.load = Compose(
            [LoadImaged("label", reader=reader), EnsureChannelFirstd("label"), merge]
        )

    def __call__(self, data: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Reader -> class indices (1, *spatial); nothing for a case without readers."""
        paths = data.get(READERS, {})
        return {name: self.load({"label": path})["label"] for name, path in paths.items()}
