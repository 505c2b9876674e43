"""Drop channels: train on cases that lack channels by chance, and keep missing ones at 0."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from torch import Tensor

from medseg.base.channels.missing import list_missing


class DropChannelsd(Randomizable, MapTransform):
    """Set channels of an image, (C, *spatial), to 0, the value of a missing one.

    Those that a case lacks are set to 0 again, in case noise was added to them. Each of the others
    is dropped by chance, but never all: one at least stays. Place it behind all that changes
    values.

    Args:
        keys: the image, with values scaled so that 0 is the middle.
        channels: their names.
        prob: the chance of each channel to be dropped; 0 drops none.

    Source: channel dropout as in Havaei et al. 2016, "HeMIS: Hetero-Modal Image Segmentation".

    Example:
        >>> drop = DropChannelsd("image", ["flair", "t1"], prob=1.0)
        >>> int(drop({"image": torch.ones(2, 4)})["image"].any(dim=1).sum())
        1
    """

    def __init__(self, keys: KeysCollection, channels: Sequence[str], *, prob: float) -> None:
        super().__init__(keys)
        self.channels = list(channels)
        self.prob = prob

    def randomize(self, data: Sequence[int]) -> list[int]:
        """Choose which of some channels are dropped, never all of them.

        Args:
            data: the channels that are there.
        """
        dropped = [place for place in data if self.R.random() < self.prob]
        if len(dropped) == len(data):
            dropped.remove(data[int(self.R.randint(len(data)))])
        return dropped

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = self._drop(changed[key], list_missing(data))
        return changed

    def _drop(self, image: Tensor, missing: Sequence[str]) -> Tensor:
        lacking = [place for place, name in enumerate(self.channels) if name in missing]
        there = [place for place in range(len(self.channels)) if place not in lacking]
        image = image.clone()
        image[np.array([*lacking, *self.randomize(there)], int)] = 0
        return image
