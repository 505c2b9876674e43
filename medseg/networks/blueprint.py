"""Blueprint: all choices that a network is built from, and the layer that each node becomes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import nn

from medseg.networks.block import Block, Tap
from medseg.networks.class_guide import ClassGuide
from medseg.networks.encoder import Pyramid, TimmEncoder
from medseg.networks.layers import Layers
from medseg.networks.padding import CentreCrop, margin_below, voxels_lost
from medseg.networks.topology import IMAGE, Input, Node, Topology

PerAxis = tuple[int, ...]


class Scale(NamedTuple):
    """Where an input comes from: its channels, how many levels it rises, by which factor."""

    channels: int
    rise: int
    factor: PerAxis


class Style(Protocol):
    """How the nodes of one kind compute; a method for each of their parts."""

    def width(self, level: int) -> int:
        """Channels of the node's map."""

    def bring(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """What brings an input to the level, and the channels that it has then."""

    def convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """What computes the map from the `joined` channels of the concatenation."""


@dataclass(frozen=True)
class Plain:
    """U-Net and UNet++: concatenate, convolve twice; the way up maps the channels.

    Attributes:
        layers: what the layers of the network share.
        channels: of each level.
        kernels: of each level, per axis.
        margins: voxels of each level that a skip loses at each side, per axis.
        residual: add what the convolutions read to what they give, as in He, Zhang, Ren and Sun
            2016, "Deep Residual Learning for Image Recognition".
    """

    layers: Layers
    channels: Sequence[int]
    kernels: Sequence[PerAxis]
    margins: Sequence[PerAxis]
    residual: bool = False

    def width(self, level: int) -> int:
        """The channels of the level."""
        return self.channels[level]

    def bring(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """Pool, pass on, crop, or enlarge to the channels of the level."""
        if scale.rise == 0 and any(self.margins[level]):
            return CentreCrop(self.margins[level]), scale.channels
        width = self.width(level) if scale.rise > 0 else scale.channels
        layer = self.layers.rescale(scale.channels, width, rise=scale.rise, factor=scale.factor)
        return layer, width

    def convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """Two convolutions, or one residual unit of two."""
        width, kernel = self.width(level), self.kernels[level]
        if self.residual:
            return [self.layers.residual(joined, width, kernel=kernel)]
        first = self.layers.convolution(joined, width, kernel=kernel)
        return [first, self.layers.convolution(width, width, kernel=kernel)]


@dataclass(frozen=True)
class FullScale:
    """UNet 3+: resample and convolve each input to the same channels, concatenate, convolve once.

    Attributes:
        layers: what the layers of the network share.
        channels: that each input is convolved to; the node has this times the number of levels.
        kernels: of each level, per axis.

    Source: Huang et al. 2020, equation 1 and figure 2.
    """

    layers: Layers
    channels: int
    kernels: Sequence[PerAxis]

    def width(self, level: int) -> int:
        """The same at every level."""
        return self.channels * len(self.kernels)

    def bring(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """Pool or interpolate, then convolve to `channels`."""
        convolution = self.layers.convolution(
            scale.channels, self.channels, kernel=self.kernels[level]
        )
        if scale.rise > 0:
            resample = self.layers.enlarge(scale.factor)
        else:
            resample = self.layers.rescale(
                scale.channels, scale.channels, rise=scale.rise, factor=scale.factor
            )
        return nn.Sequential(resample, convolution), self.channels

    def convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """One convolution."""
        return [self.layers.convolution(joined, self.width(level), kernel=self.kernels[level])]


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """All choices that a network is built from, and the layer that each node becomes.

    Attributes:
        layers: what the layers of the network share.
        whole: the topology with all its heads; a network holds this or a part of it.
        in_channels: of the image.
        out_channels: of the logits.
        channels: of each level.
        kernels: of each level, per axis.
        steps: strides from each level to the next, per axis.
        skip_channels: to which a full-scale node convolves each input.
        residual: whether the encoder's nodes are residual units.
        pyramid: the maps of the timm network that is the encoder, None for one of our own.
        class_guide: whether X(depth, 0) tells which classes are present.
        bottom_dropout: probability of the dropout after X(depth, 0).
    """

    layers: Layers
    whole: Topology
    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    kernels: tuple[PerAxis, ...]
    steps: tuple[PerAxis, ...]
    skip_channels: int
    residual: bool
    pyramid: Pyramid | None
    class_guide: bool
    bottom_dropout: float

    def nodes(self, topology: Topology) -> nn.ModuleDict:
        """Build the layers of the whole topology, or of a part of it, by the nodes' keys."""
        nodes = nn.ModuleDict()
        for node, inputs in topology.table.items():
            nodes[node.key] = self._node(node, inputs, head=node in topology.heads)
        return nodes

    def encoder(
        self, topology: Topology, *, weights: str | os.PathLike[str] | None = None
    ) -> TimmEncoder | None:
        """Build the timm encoder of the whole topology, or of a part of it; None without one."""
        if self.pyramid is None:
            return None
        return TimmEncoder(
            self.pyramid, in_channels=self.in_channels, depth=topology.depth, weights=weights
        )

    def shapes(self) -> dict[str, torch.Size]:
        """Keys and shapes of the state dict of the whole topology, with all its heads."""
        with torch.device("meta"):
            whole = nn.ModuleDict({"nodes": self.nodes(self.whole)})
            if encoder := self.encoder(self.whole):
                whole["encoder"] = encoder
        return {key: value.shape for key, value in whole.state_dict().items()}

    def lost(self) -> list[list[int]]:
        """Voxels of the image lost at each side by the convolutions of each level, per axis."""
        if self.layers.padding == "valid":
            return voxels_lost(self.kernels, self.steps)
        return [[0] * len(kernel) for kernel in self.kernels]

    def _node(self, node: Node, inputs: Sequence[Input], *, head: bool) -> nn.Module:
        bottom = node == Node(self.whole.depth, 0)
        extras: dict[str, nn.Module | None] = {
            "head": self._head(node) if head else None,
            "guide": self._guide(node) if bottom and self.class_guide else None,
            "dropout": nn.Dropout(self.bottom_dropout) if bottom and self.bottom_dropout else None,
        }
        if node in self._tapped:
            return Tap(node.key, **extras)
        style, joined, rescale = self._style(node), 0, []
        for source, rise in inputs:
            scale = Scale(self._width(source), rise, self._factor(source, node))
            layer, channels = style.bring(scale, node.level)
            rescale.append(layer)
            joined += channels
        sources = [source.key for source, _ in inputs]
        convolutions = style.convolutions(joined, node.level)
        return Block(sources, rescale, convolutions=convolutions, **extras)

    def _head(self, node: Node) -> nn.Module:
        """1x1 on a plain node; on a full-scale one of the level's kernel, enlarged to the image."""
        width = self._width(node)
        if not self.whole.full_scale:
            return self.layers.head(width, self.out_channels)
        kernel = self.kernels[node.level]
        head = self.layers.head(width, self.out_channels, kernel=kernel)
        if node.level == 0:
            return head
        return nn.Sequential(head, self.layers.enlarge(stride_product(self.steps[: node.level])))

    @property
    def _tapped(self) -> dict[Node, int]:
        """Channels of the nodes that a timm encoder computes."""
        return {} if self.pyramid is None else self.pyramid.nodes(self.whole.depth)

    def _guide(self, node: Node) -> nn.Module:
        return ClassGuide(
            self.layers, in_channels=self._width(node), out_channels=self.out_channels
        )

    def _width(self, node: Node) -> int:
        if node == IMAGE:
            return self.in_channels
        return self._tapped[node] if node in self._tapped else self._style(node).width(node.level)

    def _style(self, node: Node) -> Style:
        if node.column == 0:
            unpadded = [(0,) * len(kernel) for kernel in self.kernels]
            return Plain(self.layers, self.channels, self.kernels, unpadded, residual=self.residual)
        if self.whole.full_scale:
            return FullScale(self.layers, self.skip_channels, self.kernels)
        margins = [self._skip_margin(level) for level in range(self.whole.depth)]
        return Plain(self.layers, self.channels, self.kernels, margins)

    def _skip_margin(self, level: int) -> PerAxis:
        """Voxels of the level that a skip loses at each side."""
        voxel = stride_product([(1,) * len(self.kernels[0]), *self.steps[:level]])
        return tuple(
            n // v for n, v in zip(margin_below(self.lost(), level=level), voxel, strict=True)
        )

    def _factor(self, source: Node, node: Node) -> PerAxis:
        low, high = sorted((source.level, node.level))
        return stride_product(self.steps[low:high])


def stride_product(steps: Sequence[Sequence[int]]) -> PerAxis:
    """Multiply the strides of successive steps, axis by axis.

    Example:
        >>> stride_product([(1, 2), (2, 2)])
        (2, 4)
    """
    return tuple(math.prod(axis) for axis in zip(*steps, strict=True))
