"""NestedUNet: walks a topology of the UNet++ family, and can be cut back to any of its heads."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medseg.flags import require_bool
from medseg.networks.block import Block, stride_product
from medseg.networks.layers import Layers, LayerSpec, PerLevel, is_integer
from medseg.networks.topology import IMAGE, TOPOLOGIES, Node, Topology

DEPTHS = range(2, 7)


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
            their number, is 2 to 6.
        topology: a key of `TOPOLOGIES`.
        deep_supervision: a head on every node that the topology lists, not on the last one alone.
        norm: normalisation by MONAI's name, or name and arguments; None for none.
        act: activation, likewise.
        dropout: probability in [0, 1), or a MONAI dropout layer.
        upsample: "deconv", or "interp" for a 1x1 convolution and linear interpolation.
        kernel_size: odd; one for all levels, or an entry per level. An entry such as (1, 3, 3)
            suits thick slices along the first axis.
        strides: one for all steps from a level to the next, or an entry per step.
        pad_input: pad a size that the total stride does not divide, at the far end of each axis
            with the edge value, and crop the logits back. Off, such a size is an error.

    Attributes:
        topology: what the network computes: of the named topology, what its heads need.
        total_stride: what each axis of the image divides by.

    Raises:
        TypeError: an option of another type, such as 2.0 for a number of channels.
        ValueError: an option outside its range; deep supervision of a topology with one head; in
            `forward`, an image whose rank, channels or size do not fit.

    Example:
        >>> network = NestedUNet(2, 1, 3, channels=(8, 16, 32), deep_supervision=True)
        >>> [tuple(logits.shape) for logits in network(torch.rand(1, 1, 32, 32))]
        [(1, 3, 32, 32), (1, 3, 32, 32)]
        >>> tuple(network.prune(1).eval()(torch.rand(1, 1, 6, 6)).shape)
        (1, 3, 6, 6)

    Source: Zhou, Siddiquee, Tajbakhsh and Liang, "UNet++: A Nested U-Net Architecture for Medical
    Image Segmentation", 2018, equation 1 and section 3.2.
    """

    total_stride: list[int]

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        topology: str = "unet_plusplus",
        deep_supervision: bool = False,
        norm: LayerSpec | None = ("instance", {"affine": True}),
        act: LayerSpec | None = ("leakyrelu", {"negative_slope": 0.1, "inplace": True}),
        dropout: float | LayerSpec = 0.0,
        upsample: str = "deconv",
        kernel_size: PerLevel = 3,
        strides: PerLevel = 2,
        pad_input: bool = False,
    ) -> None:
        super().__init__()
        _check_channels(channels, in_channels=in_channels, out_channels=out_channels)
        require_bool(deep_supervision, "deep_supervision")
        require_bool(pad_input, "pad_input")
        plan = _choose_topology(topology, len(channels) - 1, deep_supervision=deep_supervision)
        layers = Layers(
            spatial_dims=spatial_dims, norm=norm, act=act, dropout=dropout, upsample=upsample
        )
        kernels = layers.per_level(kernel_size, len(channels), name="kernel_size")
        self._steps = layers.per_level(strides, len(channels) - 1, name="strides")
        self._image = IMAGE.key
        self.in_channels = in_channels
        self.deep_supervision = deep_supervision
        self.pad_input = pad_input

        widths = {IMAGE: in_channels} | {node: channels[node.level] for node in plan.table}
        self.nodes = nn.ModuleDict()
        for node, inputs in plan.table.items():
            self.nodes[node.key] = Block(
                layers,
                node,
                inputs=inputs,
                widths=widths,
                steps=self._steps,
                kernel=kernels[node.level],
                head=layers.head(widths[node], out_channels) if node in plan.heads else None,
            )
        self._keep(plan)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Map an image (B, in_channels, *spatial) to logits, or to a list of them, one per head."""
        # Ignored below: torch documents is_scripting but does not list it, and ModuleDict hides the
        # class of a node. TorchScript bears no reason behind a type comment, so it stands here.
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            self._check_image(image)
        size = list(image.shape[2:])
        features = {self._image: self._pad(image) if self.pad_input else image}
        heads: list[Tensor] = []
        for key, node in self.nodes.items():
            features[key] = node(features)
            if node.head is not None:
                logits = node.head(features[key])  # type: ignore[operator]
                heads.append(_crop(logits, size))
            if not node.is_read:
                del features[key]
        if self.training and self.deep_supervision:
            return heads[::-1]
        return heads[0] if len(heads) == 1 else torch.stack(heads).mean(0)

    def prune(self, level: int) -> "NestedUNet":
        """Return a copy that holds and computes only what head X(0, level) needs.

        The copy has that one head and returns one tensor, bit for bit the head's logits in the
        full network. Its keys are a subset of the full network's, and its total stride shrinks
        with its depth. Pruning is meant for a network trained with deep supervision: of any other
        only the last head exists.

        Raises:
            ValueError: the network has no head at that level.

        Example:
            >>> network = NestedUNet(2, 1, 1, channels=(8, 16, 32), deep_supervision=True)
            >>> list(network.prune(1).nodes)
            ['x0_0', 'x1_0', 'x0_1']

        Source: Zhou et al. 2018, section 3.2 and figure 1c.
        """
        head = Node(0, level)
        if head not in self.topology.heads:
            raise ValueError(
                f"prune keeps one head, this {self.topology.name} has heads at the levels "
                f"{[node.column for node in self.topology.heads]}, not at {level!r}: choose one of "
                "them, or train a nested topology with deep_supervision=True"
            )
        pruned = copy.deepcopy(self)
        pruned.deep_supervision = False
        pruned._keep(self.topology.ancestors(head))
        return pruned

    def extra_repr(self) -> str:
        heads = ", ".join(str(head) for head in self.topology.heads)
        return f"{self.topology.name}, heads={heads}, total_stride={tuple(self.total_stride)}"

    def _keep(self, topology: Topology) -> None:
        """Drop what `topology` does not hold, and plan where each feature map is let go."""
        self.topology = topology
        self.total_stride = list(stride_product(self._steps[: topology.depth]))
        for key in set(self.nodes) - {node.key for node in topology.table}:
            del self.nodes[key]
        for node, done in topology.last_reads().items():
            block = cast(Block, self.nodes[node.key])
            block.last_reads = [source.key for source in done if source != node]
            block.is_read = node not in done
            block.head = block.head if node in topology.heads else None

    def _check_image(self, image: Tensor) -> None:
        axes = len(self.total_stride)
        if image.ndim != axes + 2:
            raise ValueError(
                f"an image has a batch, a channel and {axes} spatial axes, got shape "
                f"{tuple(image.shape)}: add or drop axes, for instance image[None]"
            )
        if image.shape[1] != self.in_channels:
            raise ValueError(
                f"the network takes {self.in_channels} input channels, got {image.shape[1]} in "
                f"shape {tuple(image.shape)}: build it with in_channels={image.shape[1]}"
            )
        if 0 in image.shape:
            raise ValueError(
                f"each axis of an image has a size of 1 or more, got shape {tuple(image.shape)}: "
                "drop the empty image"
            )
        if not self.pad_input:
            _check_size(image.shape[2:], self.total_stride)

    def _pad(self, image: Tensor) -> Tensor:
        pads: list[int] = []
        for axis, stride in enumerate(self.total_stride):
            pads += [-image.shape[axis + 2] % stride, 0]
        return F.pad(image, pads[::-1], mode="replicate")  # F.pad starts at the last axis


def _crop(x: Tensor, size: list[int]) -> Tensor:
    for axis, length in enumerate(size):
        x = x.narrow(axis + 2, 0, length)
    return x


def _choose_topology(name: str, depth: int, *, deep_supervision: bool) -> Topology:
    """Build the named topology, cut down to what its heads need: all of them, or the last."""
    if name not in TOPOLOGIES:
        raise ValueError(
            f"topology must be one of {', '.join(TOPOLOGIES)}, got {name!r}: choose one of them"
        )
    plan = TOPOLOGIES[name](depth)
    if not deep_supervision:
        return plan.ancestors(plan.heads[-1])
    if len(plan.heads) == 1:
        nested = [other for other, build in TOPOLOGIES.items() if len(build(depth).heads) > 1]
        raise ValueError(
            f"deep supervision needs several heads, {name} has {plan.heads[0]} only: "
            f"pass deep_supervision False or a topology with more ({', '.join(nested)})"
        )
    return plan.ancestors(*plan.heads)


def _check_channels(channels: Sequence[int], *, in_channels: int, out_channels: int) -> None:
    for name, number in (("in_channels", in_channels), ("out_channels", out_channels)):
        if not is_integer(number):
            raise TypeError(f"{name} is an integer, got {number!r}: pass for instance 1")
    if not isinstance(channels, list | tuple) or not all(map(is_integer, channels)):
        raise TypeError(
            f"channels is a list of integers, one per level, got {channels!r}: "
            "pass for instance [32, 64, 128, 256, 512]"
        )
    depth = len(channels) - 1
    if depth not in DEPTHS:
        raise ValueError(
            f"the depth is {DEPTHS[0]} to {DEPTHS[-1]}, got {depth} from channels "
            f"{tuple(channels)}: give {DEPTHS[0] + 1} to {DEPTHS[-1] + 1} channel counts"
        )
    if min(*channels, in_channels, out_channels) < 1:
        raise ValueError(
            f"channel counts are positive, got in_channels {in_channels}, channels "
            f"{tuple(channels)}, out_channels {out_channels}: use 1 or more everywhere"
        )


def _check_size(size: Sequence[int], stride: Sequence[int]) -> None:
    if any(n % s for n, s in zip(size, stride, strict=True)):
        fitting = tuple(-(-n // s) * s for n, s in zip(size, stride, strict=True))
        raise ValueError(
            f"each axis must divide by the total stride, got size {tuple(size)} for stride "
            f"{tuple(stride)}: pass a size that divides, such as {fitting}, or pad_input True"
        )
