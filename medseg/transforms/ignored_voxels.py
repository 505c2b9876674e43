"""Ignored voxels: those of a dataset that count neither in a loss nor in a score.

A label map may mark voxels whose class is unknown or of no interest, Cityscapes' void and the
border of KITTI's valid area for instance. `MergeLabels(classes, ignore=...)` gives all of them the
class index `IGNORE`. From there on

- the loss takes `ignore_label=get_ignored_index(ignore)`, as `HybridLoss` and `GuidedLoss` do;
- validation during training, which makes one-hot channels, drops them with `DropIgnoredd`;
- `CaseMetrics(ignore_label=get_ignored_index(ignore))` leaves them out of every score.

With `ignore=None`, a dataset that marks nothing, each of the three does nothing.
"""

from collections.abc import Hashable, Mapping

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor

from medseg.base.class_values import IGNORE, Ignored, list_ignored_values


def get_ignored_index(ignore: Ignored) -> int | None:
    """The class index that `MergeLabels` gives the ignored values: `IGNORE`, or None without any.

    Example:
        >>> get_ignored_index([0, 255]), get_ignored_index(None)
        (255, None)
    """
    return IGNORE if list_ignored_values(ignore) else None


def drop_ignored(
    image: torch.Tensor, label: torch.Tensor, *, ignore_label: int = IGNORE
) -> torch.Tensor:
    """A copy of class indices (C, *spatial) that is background, 0, where the label is ignored.

    Args:
        image: class indices, of a prediction or of the label itself.
        label: class indices (1, *spatial) or (C, *spatial).
        ignore_label: the value that marks ignored voxels in `label`.

    Raises:
        ValueError: the two are not of one size.

    Example:
        >>> drop_ignored(torch.tensor([[1, 2, 1]]), torch.tensor([[0, 255, 1]]))
        tensor([[1, 0, 1]])
    """
    if image.shape[1:] != label.shape[1:] or label.shape[0] not in (1, image.shape[0]):
        raise ValueError(
            f"a prediction of shape {tuple(image.shape)} has a label of shape "
            f"{tuple(label.shape)}: bring both to the same grid"
        )
    return image.masked_fill(label.as_subclass(torch.Tensor) == ignore_label, 0)


class DropIgnoredd(MapTransform):
    """Sets prediction and label to background where the label is ignored.

    MONAI's one-hot encoding has no channel for `IGNORE`. A voxel that is background in both is part
    of neither mask of a foreground class, so it is no true positive, false positive or false
    negative: Dice and IoU of the foreground are those of the other voxels alone. That is not so for
    scores of the background and for the share of right voxels, which count it as right.

    Args:
        keys: the entries to be changed, class indices (C, *spatial); the label may be among them.
        label: key of the label that marks the ignored voxels.
        ignore_label: the value that marks them, `get_ignored_index(ignore)`; None does nothing.
        allow_missing_keys: pass over entries that are absent.

    Raises:
        KeyError: no label.
        ValueError: an entry that is not of the label's size.

    Example:
        >>> label = torch.tensor([[1, 255]])
        >>> dropped = DropIgnoredd("pred")({"pred": torch.ones(1, 2), "label": label})
        >>> dropped["pred"].tolist()
        [[1.0, 0.0]]
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        label: Hashable = "label",
        ignore_label: int | None = IGNORE,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label = label
        self.ignore_label = ignore_label

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        if self.ignore_label is None:
            return out
        label = convert_to_tensor(out[self.label], track_meta=True)
        for key in self.key_iterator(out):
            image = convert_to_tensor(out[key], track_meta=True)
            out[key] = drop_ignored(image, label, ignore_label=self.ignore_label)
        return out
