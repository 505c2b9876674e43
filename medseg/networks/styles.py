"""Styles: how the nodes of one kind compute, those of UNet++ and the full-scale ones of UNet 3+."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import nn

from medseg.networks.layers import Layers
from medseg.networks.options import PerAxis
from medseg.networks.padding import CentreCrop


class Scale(NamedTuple):
    """Where an input comes from: its channels, how many levels it rises, by which factor."""

    channels: int
    rise: int
    factor: PerAxis


class Style(Protocol):
    """How the nodes of one kind compute; a method for each of their parts."""

    def count_channels(self, level: int) -> int:
        """Channels of the node's map."""

    def rescale_input(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """The layer that rescales an input to the level, and its channels after it."""

    def make_convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """The layers that compute the map from the `joined` channels of the concatenation."""


@dataclass(frozen=True)
class PlainStyle:
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

    def count_channels(self, level: int) -> int:
        """The channels of the level."""
        return self.channels[level]

    def rescale_input(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """Pool, pass on, crop, or enlarge to the channels of the level."""
        if scale.rise == 0 and any(self.margins[level]):
            return CentreCrop(self.margins[level]), scale.channels
        width = self.count_channels(level) if scale.rise > 0 else scale.channels
        layer = self.layers.rescale(scale.channels, width, rise=scale.rise, factor=scale.factor)
        return layer, width

    def make_convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """Two convolutions, or one residual unit of two."""
        width, kernel = self.count_channels(level), self.kernels[level]
        if self.residual:
            return [self.layers.make_residual(joined, width, kernel=kernel)]
        first = self.layers.make_convolution(joined, width, kernel=kernel)
        return [first, self.layers.make_convolution(width, width, kernel=kernel)]


@dataclass(frozen=True)
class FullScaleStyle:
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

    def count_channels(self, level: int) -> int:
        """The same at every level."""
        return self.channels * len(self.kernels)

    def rescale_input(self, scale: Scale, level: int) -> tuple[nn.Module, int]:
        """Pool or interpolate, then convolve to `channels`."""
        convolution = self.layers.make_convolution(
            scale.channels, self.channels, kernel=self.kernels[level]
        )
        if scale.rise > 0:
            resample = self.layers.make_enlargement(scale.factor)
        else:
            resample = self.layers.rescale(
                scale.channels, scale.channels, rise=scale.rise, factor=scale.factor
            )
        return nn.Sequential(resample, convolution), self.channels

    def make_convolutions(self, joined: int, level: int) -> list[nn.Module]:
        """One convolution."""
        return [
            self.layers.make_convolution(
                joined, self.count_channels(level), kernel=self.kernels[level]
            )
        ]
