"""Batch: whether a network takes the batches that it will be trained on, the smallest one too."""

import copy
from typing import Any

import torch
from torch.utils.data import DataLoader

_TOO_FEW = "Expected more than 1"
"""How torch's complaint starts where a norm has a single value to take a mean and spread of."""


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
    device). Batch norm, for instance, needs two values for each channel: at one voxel in the
    deepest level a batch of 1 fails, as the last of an epoch may be.

    Args:
        network: as it is trained.
        loader: of the training.
        in_channels: channels of an image.
        image_size: of an image, or of the patch that is cut from it.
        patches: patches for each item of the loader.

    Raises:
        ValueError: the network does not take images of that size, or a norm has one value only.

    Example:
        >>> check_batch(net, loader, in_channels=1, image_size=[96, 96])  # doctest: +SKIP
    """
    smallest = smallest_batch(loader) * patches
    shape = (smallest, in_channels, *image_size)
    ghost = copy.deepcopy(network).to("meta").train()
    try:
        with torch.no_grad():
            ghost(torch.empty(*shape, device="meta"))
    except ValueError as error:
        if not str(error).startswith(_TOO_FEW):
            raise ValueError(
                f"image_size {list(image_size)} does not fit the network: {error}"
            ) from error
        raise ValueError(
            f"an image_size of {list(image_size)} leaves one voxel at the deepest level, and the "
            f"smallest batch of an epoch holds {smallest} of them: norm needs more than one value, "
            "so pass a larger image_size, fewer channels, or for batch norm a batch_size that "
            "leaves no batch of 1"
        ) from error


def smallest_batch(loader: Any) -> int:
    """Items of the smallest batch of an epoch, the last one unless it is dropped or full."""
    size = int(loader.batch_size)
    items = len(loader.sampler)
    rest = items % size
    return size if rest == 0 or (loader.drop_last and items > size) else rest
