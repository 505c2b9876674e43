"""Batch: whether a network takes the batches that it will be trained on, the smallest one too."""

import copy
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import ignite.distributed as idist
import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils.data import DataLoader

from medseg.base.memory import find_available_bytes
from medseg.base.text import count_noun

logger = logging.getLogger(__name__)

_TOO_FEW = "Expected more than 1"
"""How torch's error starts if a norm has a single value to compute mean and spread from."""

_LARGER = "pass a larger image_size, fewer channels"

_FEW = 5
"""Cases that are enough to see how large they are."""

_LEAST_ITEM = 2
"""Bytes of an element in half precision, which a training may use."""


def check_batch(
    network: torch.nn.Module,
    loader: DataLoader,
    *,
    in_channels: int,
    image_size: list[int],
    patches: int = 1,
) -> None:
    """Refuse a network that would fail at some batch of an epoch, before the first one.

    The smallest batch is passed through the network without computing anything (on torch's meta
    device). Batch norm, for instance, needs two values for each channel: if the deepest level has
    one voxel, a batch of one image fails, and the last batch of an epoch may be one. If the deepest
    level has more voxels, such a batch passes with a warning: mean and spread are then those of one
    image.

    Args:
        network: as it is trained.
        loader: of the training.
        in_channels: channels of an image.
        image_size: of an image, or of the patch that is cut from it.
        patches: patches for each item of the loader.

    Raises:
        ValueError: the network does not take images of that size, a norm has only one value, or the
            largest batch needs more than the memory that is free, where the network is on a CPU.

    Example:
        >>> check_batch(net, loader, in_channels=1, image_size=[96, 96])  # doctest: +SKIP
    """
    smallest = find_smallest_batch(loader) * patches
    shape = (smallest, in_channels, *image_size)
    ghost = copy.deepcopy(network).to("meta").train()
    kept = _count_kept(ghost)
    try:
        with torch.no_grad():
            ghost(torch.empty(*shape, device="meta"))
    except ValueError as error:
        if not str(error).startswith(_TOO_FEW):
            raise _make_size_error(image_size, error) from error
        raise ValueError(
            f"with an image_size of {list(image_size)} the deepest level has one voxel and the "
            f"smallest batch {count_noun(smallest, 'image')}, but the norm needs several values: "
            f"{_LARGER}, or for batch norm a batch_size that leaves no batch of 1"
        ) from error
    largest = find_largest_batch(loader) * patches
    _check_memory(network, largest, image_size, kept.total() * largest // smallest)
    if smallest == 1 and _has_batch_norm(network) and idist.get_rank() == 0:
        logger.warning(
            "%s of an epoch holds 1 image, and batch norm takes mean and spread from only that "
            "one: pass a larger batch_size that leaves no batch of 1, or --norm instance",
            "every batch" if loader.batch_size == 1 else "the last batch",
        )


def check_image_size(
    network: torch.nn.Module, *, in_channels: int, image_size: Sequence[int]
) -> None:
    """Refuse a size that the network does not take, before any case is read.

    Two images are passed through the network on torch's meta device, which computes nothing.

    Args:
        network: as it is trained.
        in_channels: channels of an image.
        image_size: of an image, or of the patch that is cut from it.

    Raises:
        ValueError: the network does not take images of that size.

    Example:
        >>> check_image_size(net, in_channels=1, image_size=[96, 96])  # doctest: +SKIP
    """
    ghost = copy.deepcopy(network).to("meta").eval()
    try:
        with torch.no_grad():
            ghost(torch.empty(2, in_channels, *image_size, device="meta"))
    except ValueError as error:
        if str(error).startswith(_TOO_FEW):
            raise ValueError(
                f"with an image_size of {list(image_size)} the deepest level has one voxel, but "
                f"the norm needs several values: {_LARGER}, or --norm batch"
            ) from error
        raise _make_size_error(image_size, error) from error


def warn_of_padding(cases: Sequence[Mapping[str, Any]], *, image_size: Sequence[int]) -> None:
    """Warn where more than half of each patch would be padding, which costs time for nothing.

    Args:
        cases: of the training, loaded, with the channels first under "image". The first few count.
        image_size: of a patch.
    """
    first = [cases[index]["image"].shape[1:] for index in range(min(len(cases), _FEW))]
    filled = [prod(map(min, image_size, shape)) / prod(image_size) for shape in first]
    if filled and max(filled) < 0.5 and idist.get_rank() == 0:
        largest = [max(sizes) for sizes in zip(*first, strict=True)]
        logger.warning(
            "more than half of each patch of %s is padding, for the first %s are no larger than %s:"
            " pass a smaller --image_size",
            *("x".join(map(str, image_size)), count_noun(len(first), "case")),
            "x".join(map(str, largest)),
        )


def _make_size_error(image_size: Sequence[int], error: ValueError) -> ValueError:
    return ValueError(f"image_size {list(image_size)} does not fit the network: {error}")


def _count_kept(ghost: torch.nn.Module) -> Counter[str]:
    """Count, while a network runs, the bytes that its convolutions keep for the backward pass.

    Each keeps its output, with two bytes or more for an element: the least that a training needs.
    Nothing is counted for a network that computes some outputs again instead (`checkpointing`).
    """
    kept: Counter[str] = Counter()
    if any(getattr(layer, "checkpointing", False) for layer in ghost.modules()):
        return kept
    for layer in ghost.modules():
        if isinstance(layer, _ConvNd):
            layer.register_forward_hook(
                lambda _layer, _inputs, output: kept.update(bytes=_LEAST_ITEM * output.numel())
            )
    return kept


def _check_memory(
    network: torch.nn.Module, images: int, image_size: list[int], needed: int
) -> None:
    free = find_available_bytes()
    is_on_cpu = next(network.parameters()).device.type == "cpu"
    if is_on_cpu and free is not None and needed > free:
        raise ValueError(
            f"a batch of {count_noun(images, 'image')} of {list(image_size)} needs more than "
            f"{needed / 2**30:.3g} GiB, and {free / 2**30:.3g} GiB are free: lower --batch_size, "
            "--image_size or --channels"
        )


def _has_batch_norm(network: torch.nn.Module) -> bool:
    """Whether statistics are taken over the batch of this process, and not of all processes."""
    is_synchronised = idist.get_world_size() > 1 and torch.cuda.is_available()
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    is_local = any(not isinstance(layer, torch.nn.SyncBatchNorm) for layer in norms)
    return is_local and not is_synchronised


def find_smallest_batch(loader: Any) -> int:
    """Items of the smallest batch of an epoch, the last one unless it is dropped or full."""
    size = int(loader.batch_size)
    items = len(loader.sampler)
    rest = items % size
    return size if rest == 0 or (loader.drop_last and items > size) else rest


def find_largest_batch(loader: Any) -> int:
    """Items of the largest batch of an epoch: all items if they are fewer than a batch."""
    return min(int(loader.batch_size), len(loader.sampler))
