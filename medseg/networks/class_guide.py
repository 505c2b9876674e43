"""ClassGuide: predict which classes occur in the image, and silence those that do not."""

import torch
from torch import Tensor, nn

from medseg.networks.layers import Layers

DROPOUT = 0.5
"""Probability of the dropout; the paper names the layer and gives no number."""

ABSENT = -1e4
"""Logit of a class that does not occur: a probability of 0, and finite in float16 too."""


class ClassGuide(nn.Module):
    """Dropout, 1x1 convolution and global max pooling of the deepest map, X(depth, 0).

    Takes (B, in_channels, *spatial) and gives presence logits (B, F, 1, 1[, 1]): F is 1 for one
    output channel, and out_channels - 1 otherwise, since channel 0 is the background, which is
    always there. A loss compares them with the classes that the target has.

    Args:
        layers: what the layers of the network share.
        in_channels: channels of the deepest map.
        out_channels: channels of the network's logits.

    Example:
        >>> layers = Layers(spatial_dims=2, norm=None, act=None, dropout=0.0, upsample="interp")
        >>> ClassGuide(layers, in_channels=8, out_channels=3)(torch.rand(1, 8, 4, 4)).shape
        torch.Size([1, 2, 1, 1])

    Source: Huang et al. 2020, "UNet 3+", section 2.3.
    """

    def __init__(self, layers: Layers, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        self.conv = layers.make_head(in_channels, max(1, out_channels - 1))

    def forward(self, deepest: Tensor) -> Tensor:
        """(B, C, *spatial) of the deepest node to presence logits, (B, classes, 1, ...)."""
        logits = self.conv(self.dropout(deepest))
        return torch.amax(logits, list(range(2, logits.dim())), keepdim=True)


# TorchScript knows neither a module's constants nor defaults of keyword-only arguments.
def suppress_absent(logits: Tensor, presence: Tensor, absent: float = ABSENT) -> Tensor:
    """Set a class to `absent` everywhere where its presence logit is not above 0.

    Args:
        logits: (B, out_channels, *spatial).
        presence: (B, F, 1, 1[, 1]) as `ClassGuide` gives; a background channel stays as it is.
        absent: the logit of what does not occur.

    Example:
        >>> logits, presence = torch.zeros(1, 3, 1, 1), torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
        >>> suppress_absent(logits, presence).flatten().tolist()
        [0.0, 0.0, -10000.0]
    """
    present = presence > 0
    if logits.shape[1] > presence.shape[1]:
        present = torch.cat([torch.ones_like(present[:, :1]), present], 1)
    return logits.masked_fill(~present, absent)
