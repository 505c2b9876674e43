"""Crop centres: where crops of a volume may be centred, on the target classes or off them."""

from collections.abc import Hashable, Mapping

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from medseg.base.class_values import Classes, Ignored, list_ignored_values
from medseg.transforms.classes import list_target_values

_MOST = 100_000
"""Voxels of a class that are listed where there are several classes, to bound the memory."""


class CropCentresd(MapTransform):
    """Lists the voxels of the target classes and those of the background, for crops around them.

    MONAI's `RandCropByPosNegLabeld` takes every label value above 0 for foreground, and so most of
    the crops of a large class. Here foreground is what a class gathers, and background what neither
    a class gathers nor is ignored, so that half of the crops are centred on a class and none on a
    voxel that does not count. Each class that a volume holds is as likely as any other, however
    small it is: its voxels are listed several times, or some of them are left out, so that all
    classes have the same number in the list. Give `fg_indices_key="foreground"` and
    `bg_indices_key="background"`; it removes them again.

    A window around a voxel near the edge is moved inwards by MONAI: it holds the voxel, though not
    in its centre. Where there is no voxel of either kind, as in a volume that is ignored as a
    whole, all voxels are listed as background.

    Args:
        keys: the label map (1, *spatial), with the label values of the dataset.
        classes: class name -> label values; of regions, a voxel may be in several.
        ignore: label values that are ignored.
        allow_missing_keys: pass over entries that are absent.

    Example:
        >>> centres = CropCentresd("label", {"liver": [1]}, ignore=9)
        >>> found = centres({"label": torch.tensor([[0, 1, 2, 9]])})
        >>> found["foreground"].tolist(), found["background"].tolist()
        ([1], [0, 2])
    """

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes,
        *,
        ignore: Ignored = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.classes = [torch.tensor(list(values)) for values in classes.values()]
        self.foreground = torch.tensor(list_target_values(classes))
        self.ignored = list_ignored_values(ignore)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            label = convert_to_tensor(out[key], track_meta=False).reshape(-1).cpu()
            foreground = torch.isin(label, self.foreground)
            counted = ~foreground
            if self.ignored:
                counted &= ~torch.isin(label, torch.tensor(self.ignored))
            if not (foreground.any() or counted.any()):
                counted = torch.ones_like(foreground)
            out["foreground"] = self._balance(label, foreground.nonzero()[:, 0])
            out["background"] = counted.nonzero()[:, 0]
        return out

    def _balance(self, label: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """As many places of each class that there is."""
        values = label[places]
        of_class = [places[torch.isin(values, wanted)] for wanted in self.classes]
        present = [found for found in of_class if len(found)]
        if len(present) < 2:
            return places
        count = min(max(map(len, present)), _MOST)
        steps = torch.arange(count)
        return torch.cat([found[steps * len(found) // count] for found in present])
