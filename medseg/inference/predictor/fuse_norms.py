"""Fuse norms: make batch norm a part of the convolution before it, for evaluation."""

import copy
from typing import TypeVar, cast

from monai.networks.blocks import Convolution
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def fuse_batch_norm(network: Network) -> Network:
    """A copy in eval whose MONAI `Convolution` blocks have their batch norm in the weights.

    Outside training batch norm scales and shifts each channel by constants, which a convolution
    does as well; the logits are the same within rounding. Blocks with another norm, or whose norm
    does not follow the convolution at once, stay as they are.

    Example:
        >>> fused = fuse_batch_norm(Convolution(2, 1, 4, norm="batch"))
        >>> [type(layer).__name__ for layer in fused.modules() if "Norm" in type(layer).__name__]
        []
    """
    fused = copy.deepcopy(network).eval()
    for block in fused.modules():
        if isinstance(block, Convolution) and _is_foldable(block):
            convolution, norm = block.conv, block.adn.N
            block.conv = fuse_conv_bn_eval(cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm))
            block.adn.N = nn.Identity()
    return fused


def _is_foldable(block: nn.Module) -> bool:
    """Whether the first thing after the convolution is a batch norm with fixed statistics."""
    convolution, adn = getattr(block, "conv", None), getattr(block, "adn", None)
    if not isinstance(convolution, _CONVOLUTIONS) or adn is None:
        return False
    first = next(adn.named_children(), None)
    if first is None or first[0] != "N" or not isinstance(first[1], _BATCH_NORMS):
        return False
    return first[1].running_mean is not None
