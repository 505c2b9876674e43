"""Scale channels: the values of each channel by its kind."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, NormalizeIntensity, ScaleIntensityRange
from torch import Tensor

from medseg.base.arguments import check_window
from medseg.base.channels.missing import list_missing


class ScaleChannelsd(MapTransform):
    """Scale each channel of an image, (C, *spatial), so that 0 is its middle.

    A window, as of CT in HU, becomes -1 to 1, and values outside are clipped. A channel without a
    window gets the mean 0 and the standard deviation 1. A channel that is missing stays 0.

    Args:
        keys: the image, as `medseg.ingest.channel_loader.LoadChannelsd` loads it.
        channels: their names.
        windows: of each its window, lowest and highest value, or None.

    Raises:
        ValueError: another number of windows than of channels, or a window that does not increase.

    Example:
        >>> scale = ScaleChannelsd("image", ["ct", "pet"], [[-160, 240], None])
        >>> scale({"image": torch.tensor([[-160.0, 40, 900], [1, 1, 1]])})["image"].tolist()
        [[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        channels: Sequence[str],
        windows: Sequence[Sequence[float] | None],
    ) -> None:
        super().__init__(keys)
        if len(channels) != len(windows):
            raise ValueError(
                f"{len(windows)} windows for the {len(channels)} channels {', '.join(channels)}: "
                "give one for each, or null"
            )
        self.channels = list(channels)
        self.scalers = [_make_scaler(one) for one in windows]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        scaled = dict(data)
        for key in self.key_iterator(scaled):
            scaled[key] = self._scale(scaled[key], list_missing(data))
        return scaled

    def _scale(self, image: Tensor, missing: Sequence[str]) -> Tensor:
        scaled = image.clone()
        for place, (name, scaler) in enumerate(zip(self.channels, self.scalers, strict=True)):
            if name not in missing:
                scaled[place : place + 1] = scaler(image[place : place + 1])
        return scaled


def _make_scaler(window: Sequence[float] | None) -> NormalizeIntensity | ScaleIntensityRange:
    if window is None:
        return NormalizeIntensity()
    low, high = check_window(window)
    return ScaleIntensityRange(a_min=low, a_max=high, b_min=-1.0, b_max=1.0, clip=True)
