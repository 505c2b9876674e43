"""Instance norm: torch's own, at a fraction of its time where the channels of maps are last."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.jit._trace import is_tracing
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)


class ChannelsLastInstanceNorm2d(nn.InstanceNorm2d):
    """`torch.nn.InstanceNorm2d` for maps (B, C, H, W), fast where their channels are last.

    torch copies such a map into another layout before it takes the mean and deviation of each
    channel, and copies back later, in the gradient, too. Batch norm takes any layout, and that of
    one image alone, with the statistics of this image, is the same sum. A graph that the network
    is exported or compiled to has torch's instance norm, as have maps of any other layout.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return self._apply_instance_norm(maps)
        if not _is_laid_out(maps, torch.channels_last):
            return super().forward(maps)
        return _normalise_each(maps, self)


class ChannelsLastInstanceNorm3d(nn.InstanceNorm3d):
    """The same as `ChannelsLastInstanceNorm2d` for maps (B, C, H, W, D)."""

    def forward(self, maps: Tensor) -> Tensor:
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return self._apply_instance_norm(maps)
        if not _is_laid_out(maps, torch.channels_last_3d):
            return super().forward(maps)
        return _normalise_each(maps, self)


_FAST: dict[type[nn.Module], type[nn.Module]] = {
    nn.InstanceNorm2d: ChannelsLastInstanceNorm2d,
    nn.InstanceNorm3d: ChannelsLastInstanceNorm3d,
}


def speed_up_instance_norms(network: Network) -> Network:
    """Give the instance norms of a network the classes above, in place; weights and keys stay.

    Those that store statistics, and subclasses of other libraries, stay as they are.

    Example:
        >>> network = speed_up_instance_norms(nn.Sequential(nn.InstanceNorm2d(4)))
        >>> type(network[0]).__name__
        'ChannelsLastInstanceNorm2d'
    """
    for module in network.modules():
        if type(module) in _FAST and not module.track_running_stats:
            module.__class__ = _FAST[type(module)]  # a layer keeps its hooks and what holds it
    return network


def _is_laid_out(maps: Tensor, layout: torch.memory_format) -> bool:
    """Whether an image is computed now, with channels last: no graph is made, no axis missing."""
    if is_tracing() or torch.compiler.is_compiling():
        return False
    batched = maps.ndim == (5 if layout == torch.channels_last_3d else 4)
    return batched and maps.is_contiguous(memory_format=layout)


def _normalise_each(maps: Tensor, norm: nn.InstanceNorm2d | nn.InstanceNorm3d) -> Tensor:
    images = [
        functional.batch_norm(i, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
        for i in maps.split(1)
    ]
    return images[0] if len(images) == 1 else torch.cat(images)
