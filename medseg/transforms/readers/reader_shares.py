"""Reader shares: a soft target, the share of a case's readers who gave a voxel a class.

Readers who disagree are not made to agree by a vote: of a voxel that one of four marked, the
network learns 0.25. The shares are read with the case (`ReaderSharesd`), go through the random
transforms beside the label, in linear interpolation, and then take its place (`SharesAsTargetd`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import ResampleToMatch, Transform

from medseg.base.class_values import IGNORE, Classes, check_regions
from medseg.transforms.classes import count_logit_channels
from medseg.transforms.readers.load_readers import READERS, LoadReaders
from medseg.transforms.regions import make_class_masks

SHARES = "shares"
"""Key of a case that has the shares, (F, *spatial) of 0 to 1, for F classes."""


class ReaderSharesd(Transform):
    """Reads the labels of a case's readers and adds their shares, on the grid of the label.

    The paths of the readers are taken out, since cases of different readers do not fit in one
    batch.

    Args:
        load: reads the readers' labels as class indices.
        classes: class name -> label values, outer regions first.

    Raises:
        ValueError: a case whose list names no reader.
    """

    def __init__(self, load: LoadReaders, classes: Classes) -> None:
        check_regions(classes)
        self.load = load
        self.classes = {name: tuple(values) for name, values in classes.items()}
        self.match = ResampleToMatch(mode="bilinear", padding_mode="border")

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(data)
        drawn = list(self.load(data).values())
        if not drawn:
            raise ValueError(
                f"case {data['case']} names no readers, and soft labels are made of theirs: make "
                "the list of the cases with medseg new --readers mean"
            )
        del out[READERS]
        out[SHARES] = self._put_on_grid(average_readers(drawn, self.classes), data["label"])
        return out

    def _put_on_grid(self, shares: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The shares on the grid of the label, which may have been turned and resampled by now."""
        same = shares.shape[1:] == label.shape[1:]
        if not isinstance(shares, MetaTensor) or not isinstance(label, MetaTensor):
            return shares
        if same and torch.allclose(shares.affine, label.affine):
            return shares
        moved: torch.Tensor = self.match(shares, label).clamp(0, 1)
        return moved


class SharesAsTargetd(Transform):
    """Puts the shares in the place of the label, in the channels that the loss takes.

    Under softmax a channel for the background comes first, which has what is left of 1. Voxels
    whose label is ignored are ignored in every channel.

    Args:
        classes: class name -> label values.

    Example:
        >>> case = {"label": torch.tensor([[0, 1]]), "shares": torch.tensor([[0.25, 0.5]])}
        >>> SharesAsTargetd({"nodule": [1]})(case)["label"].tolist()
        [[0.25, 0.5]]
    """

    def __init__(self, classes: Classes) -> None:
        self.has_background = count_logit_channels(classes) == len(classes) + 1

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(data)
        shares = out.pop(SHARES).clamp(0, 1)
        if self.has_background:
            shares = shares / shares.sum(0, keepdim=True).clamp_min(1)
            shares = torch.cat([1 - shares.sum(0, keepdim=True), shares])
        ignored = out["label"].as_subclass(torch.Tensor) == IGNORE
        out["label"] = shares.masked_fill(ignored, IGNORE)
        return out


def average_readers(labels: list[torch.Tensor], classes: Classes) -> torch.Tensor:
    """The share of the readers who gave each voxel a class, (F, *spatial) of 0 to 1.

    Args:
        labels: class indices of each reader, (1, *spatial); an ignored voxel is in no class.
        classes: class name -> label values.

    Example:
        >>> average_readers([torch.tensor([[1, 1]]), torch.tensor([[0, 1]])], {"nodule": [1]})
        tensor([[0.5000, 1.0000]])
    """
    masks = [make_class_masks(label, classes) % IGNORE for label in labels]
    return torch.stack([mask.float() for mask in masks]).mean(0)
