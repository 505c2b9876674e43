"""Block: one node of a topology as a layer: brings its inputs to its level and convolves twice."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from medseg.networks.layers import Layers
from medseg.networks.topology import Input, Node


class Block(nn.Module):
    """One node: brings what it reads to its level, concatenates that and convolves it twice.

    Args:
        layers: what the layers of the network share.
        node: the node that the block computes.
        inputs: what it reads.
        widths: feature channels of each node, the image included.
        steps: strides from each level to the next, per axis.
        kernel: of both convolutions, per axis.
        head: what maps its features to logits, None for none; called by the network.

    Attributes:
        last_reads: keys of the maps that no later node reads; they are let go once gathered.
        is_read: whether any later node reads this one.
    """

    last_reads: list[str]

    def __init__(
        self,
        layers: Layers,
        node: Node,
        *,
        inputs: Sequence[Input],
        widths: Mapping[Node, int],
        steps: Sequence[Sequence[int]],
        kernel: Sequence[int],
        head: nn.Module | None,
    ) -> None:
        super().__init__()
        self.sources = tuple(source.key for source, _ in inputs)
        self.rescale = nn.ModuleList()
        joined, width = 0, widths[node]
        for source, rise in inputs:
            low, high = sorted((source.level, node.level))
            factor = stride_product(steps[low:high])
            self.rescale.append(layers.rescale(widths[source], width, rise=rise, factor=factor))
            joined += width if rise > 0 else widths[source]
        self.first = layers.convolution(joined, width, kernel=kernel)
        self.second = layers.convolution(width, width, kernel=kernel)
        self.head = head
        self.last_reads = []
        self.is_read = True

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        return self.second(self.first(self._gather(features)))

    def _gather(self, features: dict[str, Tensor]) -> Tensor:
        """Concatenate the inputs, and let go of those that no later node reads."""
        parts = [rescale(features[self.sources[k]]) for k, rescale in enumerate(self.rescale)]
        for source in self.last_reads:
            del features[source]
        return torch.cat(parts, 1)


def stride_product(steps: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Multiply the strides of successive steps, axis by axis.

    Example:
        >>> stride_product([(1, 2), (2, 2)])
        (2, 4)
    """
    return tuple(math.prod(axis) for axis in zip(*steps, strict=True))
