"""Receptive field: how far around a voxel a network looks, found by following a NaN through it."""

import copy
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from medseg.networks.class_guide import ClassGuide
from medseg.networks.output import is_window_norm, require_one_tensor

MOST_VOXELS = 4096
"""Length of the longest line that is searched for the end of the receptive field."""


class WholeWindowError(ValueError):
    """The network looks at all of its window, so that no halo covers its receptive field."""


@torch.no_grad()
def measure_receptive_field(
    network: nn.Module, in_channels: int, *, stride: Sequence[int]
) -> tuple[int, ...]:
    """Voxels of context, per axis, beyond which no input changes an output.

    A NaN that enters a convolution, a pooling layer or an activation comes out wherever the layer
    looks at it, whatever the weights; so the outputs that one NaN reaches are those that depend on
    its voxel. All voxels of a cell of the coarsest grid are tried, since the answer differs between
    them. Statistics of the window are left aside: instance and group norm, and the class guide,
    look at everything. A network of four strides takes a second in 2D, and a minute in 3D.

    Args:
        network: maps (B, in_channels, *spatial) to logits of the same size; it is not changed.
        in_channels: channels of the image.
        stride: total stride of the network per axis; 1 where it has none.

    Returns:
        Per axis, the larger of what is needed on either side.

    Raises:
        TypeError: the network gives anything but one tensor.
        ValueError: weights that are not finite, whose NaN could not be told from the one followed,
            or images of such a stride that the network does not take.
        WholeWindowError: some other layer looks at the whole window, such as a global pooling.

    Example:
        >>> measure_receptive_field(nn.Conv2d(1, 1, kernel_size=5, padding=2), 1, stride=(1, 1))
        (2, 2)
    """
    _check_finite(network)
    probed = _copy_without_statistics(network)
    return tuple(_reach(probed, in_channels, stride, axis) for axis in range(len(stride)))


def _check_finite(network: nn.Module) -> None:
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        if not tensor.isfinite().all():
            raise ValueError(
                f"the weights of a network must be finite, {name!r} has a NaN or an infinity: load "
                "weights from a training that did not diverge"
            )


def _reach(network: nn.Module, channels: int, stride: Sequence[int], axis: int) -> int:
    """The receptive field along one axis, on a line that is lengthened until it fits."""
    step = stride[axis]
    length = 8 * step
    while length <= MOST_VOXELS:
        before = length // step // 2 * step
        reached = _trace_nan(network, channels, stride, axis=axis, length=length, first=before)
        if reached is not None:
            return reached
        length *= 2
    raise WholeWindowError(
        f"the network looks further than {MOST_VOXELS // 2} voxels along axis {axis}, perhaps at "
        "its whole window: give the halo in voxels"
    )


def _trace_nan(
    network: nn.Module, channels: int, stride: Sequence[int], *, axis: int, length: int, first: int
) -> int | None:
    """How far a NaN spreads along the axis; None if it reaches an end of the line."""
    size = [length if a == axis else s for a, s in enumerate(stride)]
    furthest = 0
    for place in range(first, first + stride[axis]):
        image = torch.zeros(1, channels, *size)
        image.select(axis + 2, place).fill_(torch.nan)
        others = [d for d in range(len(size) + 2) if d != axis + 2]
        reached = _run_network(network, image).isnan().sum(others).nonzero().flatten().tolist()
        if not reached or reached[0] == 0 or reached[-1] == length - 1:
            return None
        furthest = max(furthest, place - reached[0], reached[-1] - place)
    return furthest


def _run_network(network: nn.Module, image: Tensor) -> Tensor:
    try:
        return require_one_tensor(network(image))
    except RuntimeError as error:
        size = "x".join(map(str, image.shape[2:]))
        raise ValueError(
            f"the network does not take an image of {size} ({str(error).splitlines()[0]}): pass "
            "its total stride"
        ) from error


def _copy_without_statistics(network: nn.Module) -> nn.Module:
    """A copy for evaluation on the CPU whose layers all look at a bounded neighbourhood."""
    probed = copy.deepcopy(network).float().cpu().eval()
    for module in list(probed.modules()):
        for name, child in list(module.named_children()):
            if is_window_norm(child):
                setattr(module, name, nn.Identity())
            elif isinstance(child, ClassGuide):
                setattr(module, name, None)
    return probed
