"""Encoder: a network of timm in place of the encoder column, for 2D images."""

import functools
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from medseg.networks.topology import Node

PREFIX = "timm/"


@dataclass(frozen=True)
class Pyramid:
    """The maps that a network of timm gives: channels and reduction of each, finest first.

    Attributes:
        name: of the network, as `timm.list_models()` writes it.
        channels: of each map.
        reductions: how many times smaller than the image each map is, growing.

    Example:
        >>> pyramid = Pyramid("resnet18", (64, 64, 128, 256, 512), (2, 4, 8, 16, 32))
        >>> pyramid.first, pyramid.deepest, pyramid.list_steps(3)
        (1, 5, (2, 2, 2))
    """

    name: str
    channels: tuple[int, ...]
    reductions: tuple[int, ...]

    @property
    def first(self) -> int:
        """Level of the first map: 0 if it has the size of the image, otherwise 1."""
        return int(self.reductions[0] > 1)

    @property
    def deepest(self) -> int:
        """Level of the last map: the largest depth that a U-Net on this network can have."""
        return len(self.reductions) - 1 + self.first

    def list_steps(self, depth: int) -> tuple[int, ...]:
        """Stride from each level to the next, down to the given depth."""
        scales = (1, *self.reductions)[1 - self.first :][: depth + 1]
        return tuple(below // above for above, below in itertools.pairwise(scales))

    def list_nodes(self, depth: int) -> dict[Node, int]:
        """Channels of the encoder nodes that the network computes, down to the given depth."""
        levels = range(self.first, depth + 1)
        return {Node(level, 0): width for level, width in zip(levels, self.channels, strict=False)}

    def check(self, depth: int) -> None:
        """Refuse a depth that the maps do not reach.

        Raises:
            ValueError: there is no map for the deepest level.
        """
        if depth > self.deepest:
            raise ValueError(
                f"an encoder must give a map for each level, {self.name} reaches depth "
                f"{self.deepest}, not {depth}: give at most {self.deepest + 1} channel counts"
            )


class TimmEncoder(nn.Module):
    """A network of timm, without its classifier, that gives the maps of the encoder nodes.

    Takes (B, in_channels, H, W) and gives a list of (B, C, H / r, W / r), finest first, r the
    reduction. A network whose first map has the size of the image gives level 0 too; any other
    starts at level 1. Maps that timm gives channels last are permuted. What is deeper than the
    depth is not built, as far as timm can cut the network there.

    Args:
        pyramid: of the network, from `find_pyramid`.
        in_channels: of the image.
        depth: of the U-Net.
        weights: a local file of weights of that network, which timm adapts to `in_channels`; None
            for random ones. Nothing is ever downloaded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not fit the network, or the depth is beyond its maps.

    Example:
        >>> encoder = TimmEncoder(find_pyramid("resnet18"), in_channels=1, depth=3)
        ... # doctest: +SKIP
        >>> [tuple(each.shape) for each in encoder(torch.rand(1, 1, 64, 64))]  # doctest: +SKIP
        [(1, 64, 32, 32), (1, 64, 16, 16), (1, 128, 8, 8)]

    Source: Wightman 2019, "PyTorch Image Models", github.com/huggingface/pytorch-image-models.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        *,
        in_channels: int,
        depth: int,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        pyramid.check(depth)
        self.pyramid = pyramid
        self.in_channels = in_channels
        self.keys = [node.key for node in pyramid.list_nodes(depth)]
        create = functools.partial(
            _create, pyramid.name, in_channels=in_channels, out_indices=tuple(range(len(self.keys)))
        )
        self.network = create() if weights is None else _load(create, os.fspath(weights))
        self.channels_last = str(getattr(self.network, "output_fmt", "")).endswith("NHWC")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map an image to the maps of the encoder nodes, channels first, finest first."""
        maps = self.network(image)
        assert isinstance(maps, list)  # TorchScript takes timm's hint, a list or a tuple with one
        if self.channels_last:
            maps = [each.permute(0, 3, 1, 2) for each in maps]
        return maps

    def cut(self, depth: int) -> "TimmEncoder":
        """Return the encoder of a shallower U-Net, with a copy of the weights that it needs."""
        state, like = self.state_dict(), next(self.parameters())
        encoder = TimmEncoder(self.pyramid, in_channels=self.in_channels, depth=depth)
        encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})
        return encoder.to(device=like.device, dtype=like.dtype).train(self.training)


@functools.cache
def find_pyramid(name: str) -> Pyramid:
    """The maps of a network of timm, without a download and without memory for its weights.

    The network is run once, on the meta device, to see that its maps are what timm says. Networks
    that take one image size alone (Swin) and those that do not pad (Inception v3) are refused.

    Raises:
        ImportError: timm cannot be imported.
        ValueError: timm does not know the network, its maps do not shrink from one to the next, or
            an image of size n, a multiple of all reductions, does not give maps of n / reduction.
    """
    if not _import_timm().is_model(name):
        raise ValueError(
            f"an encoder must be plain, residual or {PREFIX}<name>, and timm knows no "
            f"{name!r}: choose one that timm.list_models() gives"
        )
    with torch.device("meta"):
        info: Any = _create(name, in_channels=3).feature_info
    pyramid = Pyramid(name, tuple(info.channels()), tuple(info.reduction()))
    pairs = itertools.pairwise((1, *pyramid.reductions[1 - pyramid.first :]))
    if any(below % above or below == above for above, below in pairs):
        raise ValueError(
            f"an encoder must make its map smaller at every level, and {name} has the reductions "
            f"{pyramid.reductions}: choose resnet18"
        )
    _check_maps(pyramid)
    return pyramid


def _check_maps(pyramid: Pyramid) -> None:
    """Compare the maps of an oblong image, which is no network's own size, with the pyramid."""
    height, width = 2 * pyramid.reductions[-1], 3 * pyramid.reductions[-1]
    with torch.device("meta"):
        encoder = TimmEncoder(pyramid, in_channels=3, depth=pyramid.deepest).eval()
        image = torch.empty(1, 3, height, width)
    expected = [
        (channels, height // reduction, width // reduction)
        for channels, reduction in zip(pyramid.channels, pyramid.reductions, strict=True)
    ]
    try:
        with torch.device("meta"), torch.no_grad():
            given = [tuple(each.shape[1:]) for each in encoder(image)]
    except Exception as error:  # each family of networks fails in its own way at a foreign size
        given, found = [], f"raises {type(error).__name__}"
    else:
        found = f"gives maps (C, H, W) of {', '.join(map(str, given))}"
    if given != expected:
        raise ValueError(
            f"encoder {pyramid.name} does not reduce every image size evenly by its reductions "
            f"{pyramid.reductions}, it {found} at {height} x {width}: choose resnet18"
        )


def _create(name: str, *, in_channels: int, **options: Any) -> nn.Module:
    options = {"features_only": True, "in_chans": in_channels, "pretrained": False} | options
    network = _import_timm().create_model(name, **options)
    if isinstance(network, nn.ModuleDict):
        return network
    # a class of its own, such as that of EfficientNet, keeps the layers past the last map
    return _import_timm().create_model(name, feature_cls="getter", **options)


def _load(create: Callable[..., nn.Module], path: str) -> nn.Module:
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"encoder_weights {path} do not exist: download the file of the network by hand"
        )
    try:
        network, again = (
            create(pretrained=True, pretrained_cfg_overlay={"file": path}) for _ in range(2)
        )
    except Exception as error:  # damaged bytes and other networks' keys raise ten kinds of error
        raise ValueError(
            f"encoder_weights {path} do not fit the encoder ({type(error).__name__}): pass the "
            "undamaged file of the network that encoder names"
        ) from error
    # timm passes over what a file lacks, and such a layer starts at random: differently each time
    other = again.state_dict()
    random = [key for key, value in network.state_dict().items() if not value.equal(other[key])]
    if random:
        raise ValueError(
            f"encoder_weights {path} do not fit the encoder ({len(random)} weights are not in it, "
            f"such as {random[0]}): pass the file of the network that encoder names"
        )
    return network


def _import_timm() -> ModuleType:
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"a timm encoder needs timm and torchvision, which cannot be imported "
            f"({str(error).splitlines()[0]}): pip install 'medseg[encoders]', with torchvision of "
            "the same build as torch"
        ) from error
    return timm
