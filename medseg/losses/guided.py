"""GuidedLoss: the loss of a network that also predicts which classes occur in the image."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medseg.base.arguments import require_bool
from medseg.losses.weighted_target import WeightedTargetLoss


class GuidedLoss(nn.Module):
    """loss(heads, target) + weight * binary cross-entropy of "class k occurs in this image".

    A network with UNet 3+'s classification-guided module returns, in training, the list of its
    heads with the presence logits (B, F, 1, ..., 1) as the last entry, for the F foreground
    classes; they learn from the target what the image holds. The cross-entropy is a mean over
    images and classes.

    What is done depends on `class_guide` and on the type of the output alone:

    - on, a list: the last entry is the presence, the list of the others goes to `loss`.
    - on, a tensor, as the network returns in evaluation: it goes to `loss`, nothing is added.
    - off: the output goes to `loss` as it is, and nothing is added.

    The target is (B, 1, *spatial) of labels, of which k is the k-th foreground class; or
    (B, F + 1, *spatial) of 0 and 1, whose channel 0, the background, has no presence.

    Args:
        loss: of the heads, `deep_supervision(...)` for instance. With a `WeightedTargetLoss` in it
            the target's last channel holds weights, and no class is looked for there.
        weight: factor of the cross-entropy, not negative.
        class_guide: whether the network has the module, as its option of the same name.
        ignore_label: target value of voxels that do not count: a class that only they could hold
            is absent. An image whose voxels are all ignored says nothing about presence and has no
            part in the mean, nor has such a channel of a target of 0 and 1.

    Raises:
        TypeError: a flag that is not a bool.
        ValueError: a weight out of range; in `forward`, a last entry that is no presence, or a
            target whose channels do not fit it.

    Example:
        >>> loss = GuidedLoss(DeepSupervisionLoss(HybridLoss(activation="sigmoid")))
        >>> heads = [torch.zeros(1, 1, 8, 8)] * 4
        >>> presence = torch.zeros(1, 1, 1, 1)  # probability 1/2: log 2 is added
        >>> value = loss([*heads, presence], torch.ones(1, 1, 8, 8))

    Source: Huang et al., "UNet 3+: A Full-Scale Connected UNet for Medical Image Segmentation",
    2020, section 2.3.
    """

    def __init__(
        self,
        loss: nn.Module,
        *,
        weight: float = 1.0,
        class_guide: bool = True,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= weight < math.inf:
            raise ValueError(
                f"the weight of the guide must be finite and not negative, got {weight}: "
                "pass 1.0, or class_guide=False for none"
            )
        self.loss = loss
        self.weight = weight
        self.class_guide = require_bool(class_guide, "class_guide")
        self.weighted_target = any(isinstance(m, WeightedTargetLoss) for m in loss.modules())
        self.ignore_label = ignore_label

    def forward(self, output: Tensor | Sequence[Tensor], target: Tensor) -> Tensor:
        """Return the scalar loss of what the network returned."""
        if not self.class_guide or isinstance(output, Tensor):
            plain: Tensor = self.loss(output, target)
            return plain
        *heads, presence = output
        labels = target[:, :-1] if self.weighted_target else target
        _check_presence(presence, labels)
        logits = presence.as_subclass(Tensor).flatten(1).float()
        occurs, known = self._find_occurrence(labels.as_subclass(Tensor), logits.shape[1])
        entropy = F.binary_cross_entropy_with_logits(logits, occurs, known, reduction="sum")
        loss: Tensor = self.loss(heads, target) + self.weight * entropy / known.sum().clamp_min(1)
        return loss

    def _find_occurrence(self, target: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Which of the classes occur in each image, and whether that is known: both (B, F)."""
        target = (target.flatten(2) + 0.5).floor()  # a fraction of half or more is the class
        counts = torch.ones_like(target, dtype=torch.bool)
        if self.ignore_label is not None:
            counts = target != self.ignore_label
        if target.shape[1] == 1:
            values = torch.arange(1, classes + 1, device=target.device)[:, None]
            found = (target == values) & counts
        else:
            found, counts = (target == 1)[:, 1:], counts[:, 1:]
        known = counts.any(2).expand(-1, classes)
        return found.any(2).float(), known.float()


def _check_presence(presence: Tensor, target: Tensor) -> None:
    single = (target.shape[0], presence.shape[1], *[1] * (target.ndim - 2))
    if tuple(presence.shape) != single:
        raise ValueError(
            "the last entry must be the presence of each class, (B, F, 1, ..., 1), got "
            f"{tuple(presence.shape)} for a target {tuple(target.shape)}: set class_guide as the "
            "network has it"
        )
    if target.shape[1] not in (1, presence.shape[1] + 1):
        raise ValueError(
            "the target must have one channel of labels, or one for the background and for each "
            f"class, got {target.shape[1]} channels for the presence of {presence.shape[1]} "
            "classes: correct the target, or put a WeightedTargetLoss around the loss of one head"
        )
