"""Overlap-tile: a picture or volume predicted tile by tile, each voxel once and in its context.

The network sees each tile with a halo of true context around it, mirrored where the image ends, and
what it says of the halo is cut off. Where the halo covers the network's receptive field, the answer
is that of the whole image at once, for a network whose normalisation does not depend on the window.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015, figure 2.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from monai.inferers import Inferer
from monai.utils import ensure_tuple, ensure_tuple_rep
from torch import Tensor

from medseg.networks.frame import mirror


class OverlapTileInferer(Inferer):
    """Predicts (B, C, *spatial) tile by tile, with a halo around each.

    Args:
        roi_size: voxels of a tile per axis, or one number for all; what the network sees is larger
            by the halo on both sides.
        halo: voxels of context at each side, per axis or one number for all; 0 for none.
        batch_size: tiles that go through the network together.

    Raises:
        ValueError: a tile of no voxels or a negative halo; in `__call__`, a number of entries that
            is not that of the image's axes, or a network whose output is not the size of its input.

    Example:
        >>> inferer = OverlapTileInferer(512, halo=96)
        >>> inferer(torch.zeros(1, 1, 600, 700), network).shape  # doctest: +SKIP
        torch.Size([1, 2, 600, 700])
    """

    def __init__(
        self, roi_size: int | Sequence[int], *, halo: int | Sequence[int], batch_size: int = 1
    ) -> None:
        super().__init__()
        if min(ensure_tuple(roi_size)) < 1:
            raise ValueError(f"a tile has 1 voxel or more along each axis, got {roi_size}: enlarge")
        if min(ensure_tuple(halo)) < 0:
            raise ValueError(f"a halo is not negative, got {halo}: pass 0 for none")
        if batch_size < 1:
            raise ValueError(f"batch_size is 1 or more, got {batch_size}: pass 1")
        self.roi_size = roi_size
        self.halo = halo
        self.batch_size = batch_size

    def __call__(
        self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        """The network's answer for the whole image, (B, channels, *spatial)."""
        image = inputs.as_subclass(Tensor)
        size = image.shape[2:]
        roi = [
            min(r, n) for r, n in zip(ensure_tuple_rep(self.roi_size, len(size)), size, strict=True)
        ]
        halo = list(ensure_tuple_rep(self.halo, len(size)))
        padded = mirror(image, stride=roi, margin=halo, lost=halo)
        windows = [r + 2 * h for r, h in zip(roi, halo, strict=True)]
        tiles = list(product(*(range(0, n, r) for n, r in zip(size, roi, strict=True))))
        result: Tensor | None = None
        for start in range(0, len(tiles), self.batch_size):
            chosen = tiles[start : start + self.batch_size]
            batch = torch.cat([padded[_box(tile, windows)] for tile in chosen])
            answer = network(batch, *args, **kwargs)
            if answer.shape[2:] != batch.shape[2:]:
                raise ValueError(
                    f"a network gives logits of the size of its input, got {tuple(answer.shape)} "
                    f"for {tuple(batch.shape)}: use one with padding"
                )
            inner = answer[_box(halo, roi)]
            if result is None:
                shape = (image.shape[0], inner.shape[1], *size)
                result = inner.new_empty(shape)
            for tile, logits in zip(chosen, inner.split(image.shape[0]), strict=True):
                place = result[_box(tile, roi)]
                place.copy_(logits[_box([0] * len(size), place.shape[2:])])
        if result is None:
            raise ValueError(f"an image has voxels, got shape {tuple(image.shape)}: check the case")
        return result


def _box(start: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    """The spatial part of a (B, C, *spatial) tensor from `start` on."""
    return (slice(None), slice(None), *(slice(s, s + n) for s, n in zip(start, size, strict=True)))
