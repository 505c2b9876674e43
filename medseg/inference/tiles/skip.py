"""Skip: which part of an image is computed, and which windows are skipped."""

from collections.abc import Callable

import torch
from torch import Tensor

Skip = float | Callable[[Tensor], bool]
"""A value that a window must exceed somewhere, or a function that says whether to skip it."""


def is_skipped(windows: Tensor, skip: Skip | None) -> bool:
    """Whether the same window of several images, (B, C, *spatial), need not be computed.

    Example:
        >>> is_skipped(torch.zeros(1, 1, 2, 2), 0.0), is_skipped(torch.ones(1, 1, 2, 2), 0.0)
        (True, False)
    """
    if skip is None:
        return False
    return bool(skip(windows)) if callable(skip) else not bool((windows > skip).any())


def find_bounding_box(image: Tensor, above: float) -> list[tuple[int, int]]:
    """First and stop voxel per axis of the box around all values above a number.

    Args:
        image: (B, C, *spatial); the box encloses such values of all images and channels. NaN counts
            as one, so that it is not skipped silently.
        above: the number.

    Returns:
        A pair per axis; (0, 0), which holds no voxel, where no value is above the number.

    Example:
        >>> find_bounding_box(torch.tensor([[[0.0, 3, 0, 3, 0]]]), above=1)
        [(1, 4)]
    """
    lines = [torch.zeros(n, dtype=torch.bool) for n in image.shape[2:]]
    for place, plane in enumerate(image.unbind(2)):  # so that masks take little memory
        mask = (~(plane <= above)).flatten(0, 1).any(0)
        lines[0][place] = mask.any().cpu()
        for axis, line in enumerate(lines[1:]):
            others = [a for a in range(mask.ndim) if a != axis]
            line |= (mask.amax(others) if others else mask).cpu()
    return [_find_range(line) for line in lines]


def _find_range(line: Tensor) -> tuple[int, int]:
    places = line.nonzero().flatten().tolist()
    return (places[0], places[-1] + 1) if places else (0, 0)
