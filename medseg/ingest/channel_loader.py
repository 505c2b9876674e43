"""Channel loader: the image of a case of several channels, each in its place.

In a bundle, in the place of `LoadImaged`:

    {"_target_": "medseg.ingest.channel_loader.LoadChannelsd", "keys": "image",
     "reader": {"_target_": "medseg.ingest.reader.VolumeReader", "all_volumes": true},
     "channels": ["flair", "t1"]}
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data.image_reader import ImageReader
from monai.data.meta_tensor import MetaTensor
from monai.transforms.io.array import LoadImage
from monai.transforms.transform import MapTransform
from monai.utils import MetaKeys

from medseg.base.channels.case_paths import list_paths
from medseg.base.channels.missing import MISSING, join_names


class LoadChannelsd(MapTransform):
    """Load an image of several channels, (C, I, J, K), with MONAI's `LoadImage`.

    A case names a file for each channel, in the order of `channels`, None in the place of one that
    is missing; or one file that holds all. The values of a missing channel are 0, and the case and
    the meta data name it at `medseg.base.channels.missing.MISSING`.

    Args:
        keys: the image.
        reader: reads the files, see `medseg.ingest.reader.VolumeReader`.
        channels: their names.
        allow_missing: accept a case without some of the channels; one at least has to be there.

    Raises:
        ValueError: in the call, an image of another number of channels, or without one of them.

    Example:
        >>> load = LoadChannelsd("image", VolumeReader(), ["flair", "t1"])  # doctest: +SKIP
        >>> load({"image": ["a_flair.nii.gz", "a_t1.nii.gz"]})["image"].shape  # doctest: +SKIP
        torch.Size([2, 240, 240, 155])
    """

    def __init__(
        self,
        keys: KeysCollection,
        reader: ImageReader,
        channels: Sequence[str],
        *,
        allow_missing: bool = False,
    ) -> None:
        super().__init__(keys)
        self.load = LoadImage(reader)
        self.channels = list(channels)
        self.allow_missing = allow_missing

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        loaded = dict(data)
        for key in self.key_iterator(loaded):
            loaded[key] = self._load(loaded[key])
            loaded[MISSING] = loaded[key].meta[MISSING]
        return loaded

    def _load(self, given: Any) -> MetaTensor:
        paths = list_paths(given)
        there = self._find_places(given)
        image = self.load(paths)
        image = image if image.ndim == 4 else image[None]
        if len(image) != len(there):
            raise ValueError(
                f"{', '.join(paths)} holds {len(image)} of the {len(self.channels)} channels "
                f"{', '.join(self.channels)}: give one file for each channel, or one with all"
            )
        image.meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0
        return self._put_into_places(image, there)

    def _find_places(self, given: Any) -> list[int]:
        """Which of the channels the files of a case are."""
        everyone = range(len(self.channels))
        if not isinstance(given, (list, tuple)) or len(given) == 1:
            return [*everyone]
        if len(given) != len(self.channels):
            raise ValueError(
                f"the case has {len(given)} files, and there are {len(self.channels)} channels: "
                f"give one for each of {', '.join(self.channels)}"
            )
        there = [place for place in everyone if given[place]]
        missing = [self.channels[place] for place in everyone if place not in there]
        if missing and not (there and self.allow_missing):
            raise ValueError(f"the case has no {' and no '.join(missing)}: add the missing channel")
        return there

    def _put_into_places(self, image: MetaTensor, there: Sequence[int]) -> MetaTensor:
        missing = [name for place, name in enumerate(self.channels) if place not in there]
        image.meta[MISSING] = join_names(missing)
        if not missing:
            return image
        whole = torch.zeros((len(self.channels), *image.shape[1:]), dtype=image.dtype)
        whole[list(there)] = image.as_tensor()
        return MetaTensor(whole, meta=image.meta)
