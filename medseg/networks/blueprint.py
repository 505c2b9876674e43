"""Blueprint: the options of a network, and the layer that each of its nodes becomes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from medseg.base.arguments import check_probability
from medseg.networks.block import Block, Tap
from medseg.networks.class_guide import ClassGuide
from medseg.networks.encoder import Pyramid, TimmEncoder
from medseg.networks.layers import Layers, PerLevel
from medseg.networks.options import (
    PerAxis,
    check_channels,
    check_encoder,
    check_guide,
    check_padding,
    choose_pyramid,
    choose_steps,
    choose_topology,
)
from medseg.networks.padding import compute_margin_below, count_lost_voxels
from medseg.networks.styles import FullScaleStyle, PlainStyle, Scale, Style
from medseg.networks.topology import IMAGE, Input, Node, Topology


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The options of a `NestedUNet`, with their meaning there, and the layers that they lead to.

    Attributes:
        layers: what the layers of the network share.

    Raises:
        TypeError: an option of another type.
        ValueError: an option out of range, or two that exclude each other.
    """

    layers: Layers
    in_channels: int
    out_channels: int
    channels: Sequence[int]
    topology: str
    deep_supervision: bool
    skip_channels: int
    kernel_size: PerLevel
    strides: PerLevel
    encoder: str
    encoder_weights: str | os.PathLike[str] | None
    class_guide: bool
    bottom_dropout: float

    def __post_init__(self) -> None:
        check_channels(
            self.channels,
            in_channels=self.in_channels,
            out_channels=self.out_channels,
            skip_channels=self.skip_channels,
        )
        object.__setattr__(self, "channels", tuple(self.channels))  # not the caller's list
        check_probability("bottom_dropout", self.bottom_dropout)
        check_guide(self.class_guide, deep_supervision=self.deep_supervision)
        check_encoder(self.encoder, weights=self.encoder_weights)
        for name in ("whole", "kernels", "steps"):
            getattr(self, name)  # what is wrong is refused now
        check_padding(self.layers.padding, topology=self.topology, encoder=self.encoder)

    @property
    def depth(self) -> int:
        """How many times the image is made smaller."""
        return len(self.channels) - 1

    @cached_property
    def whole(self) -> Topology:
        """The topology with all its heads; a network holds this or a part of it."""
        return choose_topology(self.topology, self.depth, deep_supervision=self.deep_supervision)

    @cached_property
    def kernels(self) -> tuple[PerAxis, ...]:
        """Sizes of the kernels of each level, per axis."""
        return self.layers.expand_per_level(self.kernel_size, self.depth + 1, name="kernel_size")

    @cached_property
    def steps(self) -> tuple[PerAxis, ...]:
        """Strides from each level to the next, per axis."""
        given = self.layers.expand_per_level(self.strides, self.depth, name="strides")
        return choose_steps(given, pyramid=self.pyramid)

    @cached_property
    def pyramid(self) -> Pyramid | None:
        """The maps of the timm network that is the encoder; None for an encoder of our own."""
        return choose_pyramid(self.encoder, depth=self.depth, axes=len(self.kernels[0]))

    def make_nodes(self, topology: Topology) -> nn.ModuleDict:
        """Build the layers of the whole topology, or of a part of it, by the nodes' keys."""
        nodes = nn.ModuleDict()
        for node, inputs in topology.table.items():
            nodes[node.key] = self._make_node(node, inputs, head=node in topology.heads)
        return nodes

    def make_timm_encoder(self, topology: Topology, *, pretrained: bool) -> TimmEncoder | None:
        """Build the timm encoder of the whole topology, or of a part of it; None without one."""
        if self.pyramid is None:
            return None
        return TimmEncoder(
            self.pyramid,
            in_channels=self.in_channels,
            depth=topology.depth,
            weights=self.encoder_weights if pretrained else None,
        )

    def list_shapes(self) -> dict[str, torch.Size]:
        """Keys and shapes of the state dict of the whole topology, with all its heads."""
        with torch.device("meta"):
            whole = nn.ModuleDict({"nodes": self.make_nodes(self.whole)})
            if encoder := self.make_timm_encoder(self.whole, pretrained=False):
                whole["encoder"] = encoder
        return {key: value.shape for key, value in whole.state_dict().items()}

    def count_lost_voxels(self) -> list[list[int]]:
        """Voxels of the image lost at each side by the convolutions of each level, per axis."""
        if self.layers.padding == "valid":
            return count_lost_voxels(self.kernels, self.steps)
        return [[0] * len(kernel) for kernel in self.kernels]

    def _make_node(self, node: Node, inputs: Sequence[Input], *, head: bool) -> nn.Module:
        bottom = node == Node(self.depth, 0)
        extras: dict[str, nn.Module | None] = {
            "head": self._make_head(node) if head else None,
            "guide": self._make_guide(node) if bottom and self.class_guide else None,
            "dropout": nn.Dropout(self.bottom_dropout) if bottom and self.bottom_dropout else None,
        }
        if node in self._encoder_nodes:
            return Tap(node.key, **extras)
        style, joined, rescale = self._find_style(node), 0, []
        for source, rise in inputs:
            scale = Scale(self._find_width(source), rise, self._find_factor(source, node))
            layer, channels = style.rescale_input(scale, node.level)
            rescale.append(layer)
            joined += channels
        sources = [source.key for source, _ in inputs]
        convolutions = style.make_convolutions(joined, node.level)
        return Block(sources, rescale, convolutions=convolutions, **extras)

    def _make_head(self, node: Node) -> nn.Module:
        """1x1 on a plain node; on a full-scale one of the level's kernel, enlarged to the image."""
        width = self._find_width(node)
        if not self.whole.full_scale:
            return self.layers.make_head(width, self.out_channels)
        kernel = self.kernels[node.level]
        head = self.layers.make_head(width, self.out_channels, kernel=kernel)
        if node.level == 0:
            return head
        return nn.Sequential(
            head, self.layers.make_enlargement(multiply_strides(self.steps[: node.level]))
        )

    @property
    def _encoder_nodes(self) -> dict[Node, int]:
        """Channels of the nodes that a timm encoder computes."""
        return {} if self.pyramid is None else self.pyramid.list_nodes(self.depth)

    def _make_guide(self, node: Node) -> nn.Module:
        return ClassGuide(
            self.layers, in_channels=self._find_width(node), out_channels=self.out_channels
        )

    def _find_width(self, node: Node) -> int:
        if node == IMAGE:
            return self.in_channels
        own = self._encoder_nodes.get(node)
        return self._find_style(node).count_channels(node.level) if own is None else own

    def _find_style(self, node: Node) -> Style:
        if node.column == 0:
            unpadded = [(0,) * len(kernel) for kernel in self.kernels]
            return PlainStyle(
                self.layers,
                self.channels,
                self.kernels,
                unpadded,
                residual=self.encoder == "residual",
            )
        if self.whole.full_scale:
            return FullScaleStyle(self.layers, self.skip_channels, self.kernels)
        margins = [self._skip_margin(level) for level in range(self.depth)]
        return PlainStyle(self.layers, self.channels, self.kernels, margins)

    def _skip_margin(self, level: int) -> PerAxis:
        """Voxels of the level that a skip loses at each side."""
        voxel = multiply_strides([(1,) * len(self.kernels[0]), *self.steps[:level]])
        margin = compute_margin_below(self.count_lost_voxels(), level=level)
        return tuple(n // v for n, v in zip(margin, voxel, strict=True))

    def _find_factor(self, source: Node, node: Node) -> PerAxis:
        low, high = sorted((source.level, node.level))
        return multiply_strides(self.steps[low:high])


def multiply_strides(steps: Sequence[Sequence[int]]) -> PerAxis:
    """Multiply the strides of successive steps, axis by axis.

    Example:
        >>> multiply_strides([(1, 2), (2, 2)])
        (2, 4)
    """
    return tuple(math.prod(axis) for axis in zip(*steps, strict=True))
