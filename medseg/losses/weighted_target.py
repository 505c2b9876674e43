"""WeightedTargetLoss: a loss whose target carries the weight of each voxel as its last channel."""

from typing import Any

from torch import Tensor, nn


class WeightedTargetLoss(nn.Module):
    """Splits weights off the target: loss(logits, target[:, :-1], target[:, -1:]).

    MONAI's trainer passes a prediction and a label to the loss and nothing else, so the weights
    travel in the label. The target is (B, T + 1, *spatial), T being the channels that the loss
    takes; `medseg.transforms.BorderWeightd` and MONAI's `ConcatItemsd` make one. Put this loss
    inside `deep_supervision`, which calls it for each head.

    A one-hot target of two classes that came without weights cannot be told from a map of labels
    with weights of 0 and 1; a target of labels can, and is refused.

    Args:
        loss: takes logits, target and weight (B, 1, *spatial), as `HybridLoss` does.

    Raises:
        ValueError: in `forward`, a target of one channel, or what `loss` refuses.

    Example:
        >>> loss = WeightedTargetLoss(HybridLoss(activation="sigmoid", dice_weight=0))
        >>> label, weight = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[1.0, 3.0]]])
        >>> value = loss(torch.zeros(1, 1, 2), torch.cat([label, weight], 1))
        >>> round(value.item() / math.log(2), 4)  # 1/2 (1 + 3) / 2
        1.0
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    @property
    def minimum(self) -> Any:
        """The minimum of the loss within, which weights do not move."""
        return self.loss.minimum

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the weighted loss of logits (B, C, *spatial)."""
        if target.shape[1] < 2:
            raise ValueError(
                "a weighted target must have the weights as its last channel, got a target of "
                f"shape {tuple(target.shape)}: append them with ConcatItemsd(['label', "
                "'border_weight'])"
            )
        loss: Tensor = self.loss(logits, target[:, :-1], target[:, -1:])
        return loss
