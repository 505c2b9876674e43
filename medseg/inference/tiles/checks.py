"""Checks: refuse or warn of images and networks that are probably a mistake."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from medseg.inference.tiles.windows import Layout

logger = logging.getLogger(__name__)


def warn_of_content(image: Tensor, layout: Layout, files: Sequence[str]) -> None:
    """Warn of images that are constant, and of volumes so thin that a window is mostly padding."""
    sizes = enumerate(zip(image.shape[2:], layout.size, strict=True))
    if thin := {axis: window for axis, (n, window) in sizes if n == 1 < window}:
        logger.warning(
            "%s is one voxel thick along axis %s, where the network sees %s: all else is padding, "
            "so the result may be useless",
            " ".join(["the image", *files]),
            " and ".join(map(str, thin)),
            " and ".join(map(str, thin.values())),
        )
    if image[0, 0].numel() == 1:
        return
    dims = tuple(range(1, image.ndim))  # flatten() would copy images that are not contiguous
    least, most = image.amin(dims).tolist(), image.amax(dims).tolist()
    for number, value in enumerate(least):
        if value == most[number]:
            logger.warning(
                "the image %s is %g everywhere, as the network sees it: nothing can be found in it",
                files[number] if len(files) == len(image) else number,
                value,
            )


def check_type(image: Tensor, network: nn.Module | None) -> None:
    """Refuse images that are no floats, or not of the type of the network's weights."""
    if image.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"images must be float32 or float64, got {image.dtype}: pass image.float()"
        )
    weight = None if network is None else next(network.parameters(), None)
    if weight is not None and {weight.dtype, image.dtype} == {torch.float32, torch.float64}:
        raise ValueError(
            f"images must have the type of the network's weights, {weight.dtype}, got "
            f"{image.dtype}: pass image.to({weight.dtype})"
        )


def check_mode(network: Callable[..., Tensor]) -> None:
    """Refuse a network in training mode if its output or its statistics would change."""
    layers = network.modules() if isinstance(network, nn.Module) else ()
    if any(layer.training and _differs_in_training(layer) for layer in layers):
        raise ValueError(
            "the network is in training mode, where dropout and norms work differently: call eval()"
        )


def _differs_in_training(layer: nn.Module) -> bool:
    if isinstance(layer, nn.modules.dropout._DropoutNd):
        return layer.p > 0
    if isinstance(layer, nn.modules.batchnorm._NormBase):  # batch and instance norm
        return layer.track_running_stats
    return isinstance(layer, nn.RReLU)
