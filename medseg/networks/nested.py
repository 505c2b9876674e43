"""NestedUNet: computes a topology of the UNet++ family, and can be pruned to any of its heads."""

import copy
import os
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from medseg.base.arguments import require_bool
from medseg.base.text import count_noun
from medseg.networks.block import Block
from medseg.networks.blueprint import Blueprint, multiply_strides
from medseg.networks.class_guide import suppress_absent
from medseg.networks.layers import Layers, LayerSpec, PerLevel
from medseg.networks.padding import (
    check_size,
    compute_contraction,
    compute_margin_below,
    crop,
    mirror,
    pad_far_end,
)
from medseg.networks.topology import IMAGE, Topology


class NestedUNet(nn.Module):
    """A U-Net, a UNet++ or a relative, in 2D or 3D, that maps an image to logits of the same size.

    The image is (B, in_channels, *spatial), the logits are (B, out_channels, *spatial). While
    training with deep supervision, `forward` returns the list of the heads' logits, deepest first.
    Otherwise it returns one tensor: the mean of the heads (accurate mode), or the only head there
    is, as after `prune(level)` (fast mode). A feature map is let go after its last reader.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the logits.
        channels: feature channels of each level, full resolution first; the depth, one less than
            their number, is 2 to 6. With a timm encoder the deepest entry counts for the depth
            alone: the width there is the encoder's.
        topology: a key of `TOPOLOGIES`.
        deep_supervision: a head on every node that the topology lists, not on the last one alone.
        level: build only what the head of this pruning level needs: the network that
            `prune(level)` gives. None for the whole network.
        norm: normalisation by MONAI's name, or name and arguments; None for none.
        act: activation, likewise.
        dropout: probability in [0, 1), or a MONAI dropout layer.
        bottom_dropout: probability in [0, 1) of the dropout after X(depth, 0), at the end of the
            contracting path.
        upsample: "deconv", or "interp" for a 1x1 convolution and linear interpolation; a full-scale
            topology always interpolates.
        skip_channels: to which a node of a full-scale topology convolves each map that it reads.
        kernel_size: odd; one for all levels, or an entry per level. An entry such as (1, 3, 3)
            suits thick slices along the first axis.
        strides: one for all steps from a level to the next, or an entry per step. A timm encoder
            has its own: leave the 2, or give the same.
        encoder: "plain" for two convolutions per level, "residual" for residual units, or
            "timm/<name>" for a network of timm, in 2D, with channels of its own; it must take any
            image size that its reductions divide, which Swin and Inception networks do not.
        encoder_weights: a local file of pretrained weights for a timm encoder.
        class_guide: tell from X(depth, 0) which classes the image shows. In training, the list of
            heads then ends with the presence logits (B, F, 1, 1[, 1]); in eval, a class that is not
            present has the logit -1e4 everywhere. In training the heads are left as they are: a
            constant has no gradient, so a wrong guess would keep them from learning.
        padding: "same", or "valid" for unpadded convolutions and cropped skips, with `unet` only:
            the logits are those of the image's centre, `margin` voxels less at each side.
        pad_input: take any size. With "same" padding, an axis that the total stride does not divide
            grows at its far end with the edge value, and the logits are cropped back; with "valid",
            the image is mirrored all round and the logits have its size. Off, a size that does not
            fit is an error.
        checkpointing: in training, keep the maps of the nodes alone, and compute those inside them
            once more for the gradient. A compiled network leaves that choice to the compiler, and
            a timm encoder keeps its maps.

    Attributes:
        blueprint: the options that the layers were built from, and how they are built.
        topology: what the network computes: of the named topology, what its heads need.
        level: the pruning level that was kept, None for the whole network.
        total_stride: what each axis of the image divides by, with "same" padding.
        margin: voxels that the logits lose at each side of each axis; zeros with "same" padding.
        contraction: how many of them are lost on the way down. With "valid" padding, a size n fits
            if n - 2 * contraction divides by the total stride and n exceeds 2 * margin.

    Raises:
        TypeError: an option of another type, such as 2.0 for a number of channels.
        ValueError: an option outside its range, or two that exclude each other, such as deep
            supervision and a topology with one head; in `forward`, an image whose rank, channels or
            size do not fit.

    Example:
        >>> network = NestedUNet(2, 1, 3, channels=(8, 16, 32), deep_supervision=True)
        >>> [tuple(logits.shape) for logits in network(torch.rand(1, 1, 32, 32))]
        [(1, 3, 32, 32), (1, 3, 32, 32)]
        >>> tuple(network.prune(1).eval()(torch.rand(1, 1, 6, 6)).shape)
        (1, 3, 6, 6)

    Source: Zhou, Siddiquee, Tajbakhsh and Liang, "UNet++: A Nested U-Net Architecture for Medical
    Image Segmentation", 2018, equation 1 and section 3.2; for "valid" and `bottom_dropout`
    Ronneberger et al. 2015, figures 1 and 2, section 2; for `class_guide` Huang et al. 2020,
    section 2.3.
    """

    total_stride: list[int]
    margin: list[int]
    contraction: list[int]

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        topology: str = "unet_plusplus",
        deep_supervision: bool = False,
        level: int | None = None,
        norm: LayerSpec | None = ("instance", {"affine": True}),
        act: LayerSpec | None = ("leakyrelu", {"negative_slope": 0.1, "inplace": True}),
        dropout: float | LayerSpec = 0.0,
        bottom_dropout: float = 0.0,
        upsample: str = "deconv",
        skip_channels: int = 64,
        kernel_size: PerLevel = 3,
        strides: PerLevel = 2,
        encoder: str = "plain",
        encoder_weights: str | os.PathLike[str] | None = None,
        class_guide: bool = False,
        padding: str = "same",
        pad_input: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        flags = {
            "deep_supervision": deep_supervision,
            "class_guide": class_guide,
            "pad_input": pad_input,
            "checkpointing": checkpointing,
        }
        for name, value in flags.items():
            require_bool(value, name)
        layers = Layers(
            spatial_dims=spatial_dims,
            norm=norm,
            act=act,
            dropout=dropout,
            upsample=upsample,
            padding=padding,
        )
        self.blueprint = Blueprint(
            layers=layers,
            in_channels=in_channels,
            out_channels=out_channels,
            channels=channels,
            topology=topology,
            deep_supervision=deep_supervision,
            skip_channels=skip_channels,
            kernel_size=kernel_size,
            strides=strides,
            encoder=encoder,
            encoder_weights=encoder_weights,
            class_guide=class_guide,
            bottom_dropout=bottom_dropout,
        )
        self.in_channels = in_channels
        self.deep_supervision = deep_supervision
        self.pad_input = pad_input
        self._image = IMAGE.key
        lost = self.blueprint.count_lost_voxels()
        self.margin = compute_margin_below(lost, level=-1)
        self.contraction = compute_contraction(lost)
        plan = self.blueprint.whole if deep_supervision else self.blueprint.whole.keep_last_head()
        plan = plan if level is None else plan.prune(level)
        self.encoder = self.blueprint.make_timm_encoder(plan, pretrained=True)
        self.nodes = self.blueprint.make_nodes(plan)
        for node in self.nodes.values():
            cast(Block, node).checkpointing = checkpointing
        self._keep_only(plan, level)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Map an image (B, in_channels, *spatial) to logits, or to a list of them, one per head."""
        # Ignored below: torch documents is_scripting but does not list it, and ModuleDict hides the
        # class of a node. TorchScript allows no text behind a type comment, so it stands here.
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            self.check_image(image)
        size = list(image.shape[2:])
        features = self._start(image)
        heads: list[Tensor] = []
        presence: list[Tensor] = []
        for key, node in self.nodes.items():
            features[key] = node(features)
            if node.guide is not None:
                presence.append(node.guide(features[key]))  # type: ignore[operator]
            if node.head is not None:
                logits = node.head(features[key])  # type: ignore[operator]
                heads.append(crop(logits, size) if self.pad_input else logits)
            if not node.is_read:
                del features[key]
        if self.training and self.deep_supervision:
            return heads[::-1] + presence
        logits = heads[0] if len(heads) == 1 else torch.stack(heads).mean(0)
        if self.training or len(presence) == 0:
            return logits
        return suppress_absent(logits, presence[0])

    def prune(self, level: int) -> "NestedUNet":
        """Return a copy that holds and computes only what the head of that level needs.

        That head is the one in column L, X(0, L), in UNet 3+ X(depth - L, L). The copy returns one
        tensor, bit for bit the head's logits in the full network wherever both pad the image
        alike. Its keys are a subset of the full network's, and its total stride shrinks with its
        depth, so that `pad_input` may pad less. It is the network that the option `level` builds.
        Pruning is meant for a network trained with deep supervision: of any other only the last
        head exists, or all those of an ensemble.

        A class guide goes with X(depth, 0). Where that node stays, in UNet 3+ and at the level of
        the full depth, so does the guide: in eval it sets the head's logits of absent classes to
        -1e4, and in training, where the copy gives the head's logits alone, it is not trained.

        Raises:
            ValueError: the network has no head at that level, or the level is no integer.

        Example:
            >>> network = NestedUNet(2, 1, 1, channels=(8, 16, 32), deep_supervision=True)
            >>> list(network.prune(1).nodes)
            ['x0_0', 'x1_0', 'x0_1']

        Source: Zhou et al. 2018, section 3.2 and figure 1c.
        """
        topology = self.topology.prune(level)
        pruned = copy.deepcopy(self)
        if pruned.encoder is not None:
            pruned.encoder = pruned.encoder.cut(topology.depth)
        pruned._keep_only(topology, level)
        return pruned

    def extra_repr(self) -> str:
        heads = ", ".join(str(head) for head in self.topology.heads)
        return f"{self.topology.name}, heads={heads}, total_stride={tuple(self.total_stride)}"

    def _keep_only(self, topology: Topology, level: int | None) -> None:
        """Drop what `topology` does not hold, and plan where each feature map is released."""
        self.topology = topology
        self.level = level
        self.deep_supervision = self.deep_supervision and level is None
        self.total_stride = list(multiply_strides(self.blueprint.steps[: topology.depth]))
        for key in set(self.nodes) - {node.key for node in topology.table}:
            del self.nodes[key]
        for node, done in topology.find_last_reads().items():
            block = cast(Block, self.nodes[node.key])
            block.last_reads = [source.key for source in done if source != node]
            block.is_read = node not in done
            block.head = block.head if node in topology.heads else None

    def _start(self, image: Tensor) -> dict[str, Tensor]:
        """The first maps: the image, padded, and those of a timm encoder."""
        features = {self._image: self._pad_image(image)}
        if self.encoder is not None:
            maps = self.encoder(features[self._image])
            for place, key in enumerate(self.encoder.keys):
                features[key] = maps[place]
        return features

    def _pad_image(self, image: Tensor) -> Tensor:
        if not self.pad_input:
            return image
        if sum(self.margin) > 0:
            return mirror(image, self.total_stride, self.margin, self.contraction)
        return pad_far_end(image, self.total_stride)

    def check_image(self, image: Tensor) -> None:
        """Refuse an image that the network does not take, with the reason; see the class."""
        axes = len(self.total_stride)
        if image.ndim != axes + 2:
            raise ValueError(
                f"an image must have a batch, a channel and {axes} spatial axes, got shape "
                f"{tuple(image.shape)}: add or drop axes, for instance image[None]"
            )
        if image.shape[1] != self.in_channels:
            raise ValueError(
                f"the network needs images of {count_noun(self.in_channels, 'channel')}, got "
                f"{image.shape[1]} in shape {tuple(image.shape)}: build it with "
                f"in_channels={image.shape[1]}"
            )
        if 0 in image.shape:
            raise ValueError(
                "each axis of an image must have a size of 1 or more, got shape "
                f"{tuple(image.shape)}: drop the empty image"
            )
        if not self.pad_input:
            check_size(
                image.shape[2:],
                stride=self.total_stride,
                margin=self.margin,
                lost=self.contraction,
            )
