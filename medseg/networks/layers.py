"""Layers: builds the 2D or 3D layers of one network, the only reader of `spatial_dims`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monai.networks.blocks import ADN, Convolution, ResidualUnit, UpSample
from monai.networks.layers.convutils import same_padding
from monai.networks.layers.factories import Conv, Pool
from torch import nn

from medseg.base.arguments import check_choice, check_probability, is_integer

LayerSpec = str | tuple[str, dict[str, Any]]
"""A layer by MONAI's name, or by name and arguments: "batch" or ("group", {"num_groups": 4})."""

PerLevel = int | Sequence[int | Sequence[int]]
"""One integer for all levels, or an entry per level; an entry is an integer or one per axis."""

UPSAMPLE_MODES = ("deconv", "interp")
PADDINGS = ("same", "valid")

EXAMPLES = {"norm": ("group", {"num_groups": 4}), "act": "relu", "dropout": 0.5}
"""A value of each option that MONAI builds a layer from, for the errors."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The choices that all layers of one network share, and a method for each kind of layer.

    Attributes:
        spatial_dims: 2 for images (B, C, H, W), 3 for volumes (B, C, H, W, D).
        norm: normalisation after each convolution, None for none.
        act: activation after each normalisation, None for none.
        dropout: probability in [0, 1) or a MONAI dropout layer, before each activation.
        upsample: "deconv" for a transposed convolution whose kernel equals its stride, "interp"
            for a 1x1 convolution followed by linear interpolation (areas aligned, not corners).
        padding: "same" for convolutions that keep the size of their input, zeros around it;
            "valid" for none, so that each of them loses (kernel - 1) / 2 voxels at each side.

    Raises:
        TypeError: `norm`, `act` or `dropout` is neither a name nor a name with arguments, nor is
            `dropout` a number.
        ValueError: `spatial_dims` is not 2 or 3, `upsample` or `padding` is not one of the modes,
            `dropout` is not in [0, 1), or MONAI cannot build `norm`, `act` or `dropout`.

    Example:
        >>> layers = Layers(spatial_dims=3, norm=None, act="relu", dropout=0.0, upsample="deconv")
        >>> layers.pool((1, 2, 2))
        MaxPool3d(kernel_size=(1, 2, 2), stride=(1, 2, 2), padding=0, dilation=1, ceil_mode=False)
    """

    spatial_dims: int
    norm: LayerSpec | None
    act: LayerSpec | None
    dropout: float | LayerSpec
    upsample: str
    padding: str = "same"

    def __post_init__(self) -> None:
        if not is_integer(self.spatial_dims) or self.spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {self.spatial_dims!r}: pass 2 or 3")
        check_choice("upsample", self.upsample, UPSAMPLE_MODES)
        check_choice("padding", self.padding, PADDINGS)
        if isinstance(self.dropout, int | float):
            check_probability("dropout", self.dropout)
        for name in EXAMPLES:
            self._check_layer(name)

    def _check_layer(self, name: str) -> None:
        """Build the layer of one option, with 0 channels, which any number of groups divides."""
        value = getattr(self, name)
        options = {"act": None, "norm": None, "dropout": None, name: value}
        try:
            ADN(in_channels=0, norm_dim=self.spatial_dims, dropout_dim=1, **options)
        except Exception as error:  # the layers are torch's, and raise what they like
            kind = ValueError if _is_spec(value) else TypeError
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise kind(
                f"{name} must be MONAI's name of a layer, or name and arguments, got {value!r} "
                f"({reason}): pass for instance {EXAMPLES[name]!r}"
            ) from error

    def make_convolution(
        self, in_channels: int, out_channels: int, *, kernel: Sequence[int]
    ) -> nn.Module:
        """Convolution, normalisation, dropout, activation; the size follows `padding`.

        Raises:
            ValueError: the kernel is even along an axis, which cannot keep the size.
        """
        _check_odd(kernel)
        return Convolution(
            self.spatial_dims,
            in_channels,
            out_channels,
            kernel_size=kernel,
            norm=self.norm,
            act=self.act,
            dropout=self.dropout or None,
            padding=0 if self.padding == "valid" else None,
        )

    def make_residual(
        self, in_channels: int, out_channels: int, *, kernel: Sequence[int]
    ) -> nn.Module:
        """Two convolutions as above, and the input added to what they give, at its size.

        Where the number of channels changes, a 1x1 convolution maps the input first.

        Raises:
            ValueError: the kernel is even along an axis, which cannot keep the size.
        """
        _check_odd(kernel)
        return ResidualUnit(
            self.spatial_dims,
            in_channels,
            out_channels,
            kernel_size=kernel,
            norm=self.norm,
            act=self.act,
            dropout=self.dropout or None,
        )

    def rescale(
        self, in_channels: int, out_channels: int, *, rise: int, factor: Sequence[int]
    ) -> nn.Module:
        """Bring a feature map to another level: up if `rise` is positive, down if negative.

        Only the way up maps the channels; pooling and skips keep `in_channels`.
        """
        if rise > 0:
            return self.make_upscale(in_channels, out_channels, factor=factor)
        return self.pool(factor) if rise < 0 else nn.Identity()

    def pool(self, factor: Sequence[int]) -> nn.Module:
        """Max pooling by `factor` along each axis."""
        return Pool[Pool.MAX, self.spatial_dims](kernel_size=tuple(factor))

    def make_upscale(
        self, in_channels: int, out_channels: int, *, factor: Sequence[int]
    ) -> nn.Module:
        """Enlarge by `factor` along each axis and map the channels, as `upsample` says."""
        if self.upsample == "deconv":
            return UpSample(self.spatial_dims, in_channels, out_channels, factor, mode="deconv")
        return UpSample(
            self.spatial_dims,
            scale_factor=factor,
            mode="nontrainable",
            pre_conv=self.make_head(in_channels, out_channels),
            align_corners=False,
        )

    def make_enlargement(self, factor: Sequence[int]) -> nn.Module:
        """Enlarge by `factor` along each axis by linear interpolation, channels as they are."""
        return UpSample(
            self.spatial_dims,
            scale_factor=factor,
            mode="nontrainable",
            pre_conv=None,
            align_corners=False,
        )

    def make_head(
        self, in_channels: int, out_channels: int, *, kernel: Sequence[int] | int = 1
    ) -> nn.Module:
        """A convolution that keeps the size, 1x1 if nothing else is said, nothing after it."""
        return Conv[Conv.CONV, self.spatial_dims](
            in_channels, out_channels, kernel_size=kernel, padding=same_padding(kernel)
        )

    def expand_per_level(
        self, value: PerLevel, count: int, *, name: str
    ) -> tuple[tuple[int, ...], ...]:
        """Spell out an option as one tuple per level with one positive integer per axis.

        Args:
            value: an integer for all, or `count` entries, each an integer or one per axis.
            count: number of levels, or of transitions between levels.
            name: what the option is called, for the error.

        Raises:
            TypeError: neither an integer nor a list of integers, or lists of them.
            ValueError: another number of entries or of axes, or a value below 1.

        Example:
            >>> layers = Layers(spatial_dims=3, norm=None, act=None, dropout=0.0, upsample="interp")
            >>> layers.expand_per_level([[1, 2, 2], 2], 2, name="strides")
            ((1, 2, 2), (2, 2, 2))
        """
        if not _is_integers(value, depth=2):
            raise TypeError(
                f"{name} must be an integer or a list of integers, or of lists of them, got "
                f"{value!r}: pass for instance 2"
            )
        entries = list(value) if isinstance(value, Sequence) else [value] * count
        if len(entries) != count:
            raise ValueError(
                f"{name} needs one integer or {count} entries for this number of levels, "
                f"got {len(entries)} in {value!r}: pass {count} entries"
            )
        axes = [tuple(e) if isinstance(e, Sequence) else (e,) * self.spatial_dims for e in entries]
        if any(len(entry) != self.spatial_dims or min(entry) < 1 for entry in axes):
            raise ValueError(
                f"an entry of {name} must be a positive integer or {self.spatial_dims} of them, "
                f"got {value!r}: for instance {(1, 2, 2)[-self.spatial_dims :]}"
            )
        return tuple(axes)


def _check_odd(kernel: Sequence[int]) -> None:
    if any(size % 2 == 0 for size in kernel):
        raise ValueError(
            f"kernel_size must be odd to keep the size, got {tuple(kernel)}: use 1, 3, 5 or 7"
        )


def _is_integers(value: Any, *, depth: int) -> bool:
    """Whether the value is an integer, or a list of them nested at most `depth` times."""
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_integers(entry, depth=depth - 1) for entry in value)
    return is_integer(value)


def _is_spec(value: Any) -> bool:
    """Whether the value has the form of a `LayerSpec`, whatever it names."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return isinstance(value[0], str) and isinstance(value[1], dict)
    return isinstance(value, str)
