"""Checks: images and networks that cannot be meant, refused or warned of before they are used."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from medseg.inference.tiles.windows import Layout

logger = logging.getLogger(__name__)


def warn_of_content(image: Tensor, layout: Layout, files: Sequence[str]) -> None:
    """Of images in which there is nothing to be seen, or nothing but padding beside it."""
    sizes = enumerate(zip(image.shape[2:], layout.size, strict=True))
    if thin := {axis: window for axis, (n, window) in sizes if n == 1 < window}:
        logger.warning(
            "%s is one voxel thick along axis %s, where the network sees %s: all else is padding, "
            "and the answer may be worth nothing",
            " ".join(["the image", *files]),
            " and ".join(map(str, thin)),
            " and ".join(map(str, thin.values())),
        )
    if image[0, 0].numel() == 1:
        return
    dims = tuple(range(1, image.ndim))  # flattened, images that are not contiguous would be copied
    least, most = image.amin(dims).tolist(), image.amax(dims).tolist()
    for number, value in enumerate(least):
        if value == most[number]:
            logger.warning(
                "the image %s is %g everywhere, as the network sees it: there is nothing to be "
                "found in it",
                files[number] if len(files) == len(image) else number,
                value,
            )


def check_type(image: Tensor, network: nn.Module | None) -> None:
    """Refuse images of another type than the weights; None where there are no layers to ask."""
    if image.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"images are float32 or float64, got {image.dtype}: pass image.float()")
    weight = None if network is None else next(network.parameters(), None)
    if weight is not None and {weight.dtype, image.dtype} == {torch.float32, torch.float64}:
        raise ValueError(
            f"images have the type of the network's weights, {weight.dtype}, got {image.dtype}: "
            f"pass image.to({weight.dtype})"
        )


def check_mode(network: Callable[..., Tensor]) -> None:
    """Refuse a network in training whose answer differs there, and which an image would change."""
    layers = network.modules() if isinstance(network, nn.Module) else ()
    if any(layer.training and _differs_in_training(layer) for layer in layers):
        raise ValueError("a network in training drops or normalises otherwise: call eval()")


def _differs_in_training(layer: nn.Module) -> bool:
    if isinstance(layer, nn.modules.dropout._DropoutNd):
        return layer.p > 0
    if isinstance(layer, nn.modules.batchnorm._NormBase):  # batch and instance norm
        return layer.track_running_stats
    return isinstance(layer, nn.RReLU)
