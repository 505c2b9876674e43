"""Padding: which image sizes fit a network, how others are padded, what unpadded layers lose."""

from collections.abc import Sequence

import torch
from torch import Tensor


def count_lost_voxels(
    kernels: Sequence[Sequence[int]], steps: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Voxels of the image that two unpadded convolutions lose at each side, per level and axis.

    A convolution of kernel k loses (k - 1) / 2 voxels of its level at each side, and a voxel of
    level i is as wide as the product of the strides above it.

    Args:
        kernels: of the convolutions of each level, per axis, all odd.
        steps: strides from each level to the next, per axis.

    Example:
        >>> count_lost_voxels([(3, 3), (3, 1)], [(2, 2)])
        [[2, 2], [4, 0]]
    """
    width = [1] * len(kernels[0])
    lost = []
    for level, kernel in enumerate(kernels):
        lost.append([(k - 1) * w for k, w in zip(kernel, width, strict=True)])
        if level < len(steps):
            width = [w * s for w, s in zip(width, steps[level], strict=True)]
    return lost


def compute_contraction(lost: Sequence[Sequence[int]]) -> list[int]:
    """Voxels lost at each side on the way down, the deepest level included."""
    return [sum(axis) for axis in zip(*lost, strict=True)]


def compute_margin_below(lost: Sequence[Sequence[int]], *, level: int) -> list[int]:
    """Voxels of the image lost at each side on the way down from a level and back up to it.

    That is what the level's skip is cropped by; seen from level -1, the image, it is the margin of
    the network.

    Example:
        >>> compute_margin_below([[2], [4], [8]], level=-1)  # of depth 2: 2 + 4 + 8 + 4 + 2
        [20]
    """
    *passed, deepest = lost[level + 1 :]
    return compute_contraction([*passed, deepest, *passed])


def check_size(
    size: Sequence[int], *, stride: Sequence[int], margin: Sequence[int], lost: Sequence[int]
) -> None:
    """Refuse an image that does not divide at some level, or of which nothing would be left.

    Args:
        size: of the image, per axis.
        stride: total stride of the network.
        margin: voxels lost at each side in all.
        lost: voxels lost at each side on the way down.

    Raises:
        ValueError: the image does not fit; the message gives the nearest sizes that do.
    """
    above = [
        _find_smallest_size(n, s, m, c)
        for n, s, m, c in zip(size, stride, margin, lost, strict=True)
    ]
    if list(size) == above:
        return
    if not any(margin):
        raise ValueError(
            f"each axis must divide by the total stride, got size {tuple(size)} for stride "
            f"{tuple(stride)}: pass a size that divides, such as {tuple(above)}, or pad_input True"
        )
    least = [_find_smallest_size(1, s, m, c) for s, m, c in zip(stride, margin, lost, strict=True)]
    below = [
        max(low, n if n == high else high - s)
        for n, low, high, s in zip(size, least, above, stride, strict=True)
    ]
    nearest = " or ".join(dict.fromkeys(str(tuple(each)) for each in (below, above)))
    raise ValueError(
        f"unpadded convolutions need sizes of {tuple(least)} or more in steps of {tuple(stride)}, "
        f"got size {tuple(size)}: pass the nearest that fits, {nearest}, or pad_input True"
    )


def _find_smallest_size(size: int, stride: int, margin: int, lost: int) -> int:
    """The smallest size that fits, leaves a voxel, and is at least as large as the given one."""
    size = max(size, 2 * margin + 1)
    return size + (2 * lost - size) % stride


# Voxels are picked by their index below: a graph of torch.export is then the same for every size,
# whereas torch.nn.functional.pad and narrow tie it to sizes that need padding, or that do not.


def pad_far_end(image: Tensor, stride: list[int]) -> Tensor:
    """Pad (B, C, *spatial) at the far end of each axis with the edge value, up to a multiple."""
    for axis, step in enumerate(stride):
        size = image.shape[axis + 2]
        place = torch.arange(size + -size % step, device=image.device)
        image = image.index_select(axis + 2, place.clamp(max=size - 1))
    return image


def mirror(image: Tensor, stride: list[int], margin: list[int], lost: list[int]) -> Tensor:
    """Surround (B, C, *spatial) with its mirror image, so that the logits cover all of it.

    The near side of each axis grows by the margin, the far side by the margin and what it takes to
    fit. The edge voxel is not repeated. Where an axis is shorter than what is added, the reflection
    is reflected again, to and fro, as `numpy.pad` does; an axis of one voxel is repeated.

    Source: Ronneberger, Fischer and Brox 2015, figure 2.
    """
    for axis, step in enumerate(stride):
        size, width = image.shape[axis + 2], margin[axis]
        far = width + (2 * (lost[axis] - width) - size) % step
        place = torch.arange(-width, size + far, device=image.device)
        image = image.index_select(axis + 2, reflect_indices(place, size))
    return image


def reflect_indices(place: Tensor, size: int) -> Tensor:
    """Places on an endless mirror image of 0 .. size - 1, whose edge voxels are not repeated.

    Example:
        >>> reflect_indices(torch.arange(-2, 5), 3).tolist()
        [2, 1, 0, 1, 2, 1, 0]
    """
    turn = max(size - 1, 1)
    return (place + turn).remainder(2 * turn).sub(turn).abs().clamp(max=size - 1)


def crop(x: Tensor, size: list[int]) -> Tensor:
    """Keep the first `size` voxels of each spatial axis."""
    for axis, length in enumerate(size):
        x = x.index_select(axis + 2, torch.arange(length, device=x.device))
    return x


class CentreCrop(torch.nn.Module):
    """Takes `margin` voxels off each side of (B, C, *spatial), per axis.

    Source: Ronneberger, Fischer and Brox 2015, section 2.
    """

    margin: list[int]

    def __init__(self, margin: Sequence[int]) -> None:
        super().__init__()
        self.margin = list(margin)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *spatial) to the same, smaller by twice the margin along each axis."""
        for axis, width in enumerate(self.margin):
            x = x.narrow(axis + 2, width, x.shape[axis + 2] - 2 * width)
        return x

    def extra_repr(self) -> str:
        return str(tuple(self.margin))
