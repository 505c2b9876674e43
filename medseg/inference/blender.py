"""Blender: overlapping windows, weighed and added up in a slab that moves along the image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from medseg.inference.canvas import Box, Canvas, background


class Blender:
    """Hands each voxel's weighted mean to a canvas as soon as no window to come covers it.

    Windows come ordered by their start along one axis. The sums that are kept are as long as a
    window along that axis, however long the image.

    Args:
        canvas: is given the means; a voxel without a window is background.
        size: of the image, per axis.
        axis: along which windows come in order.
        weight: of each voxel of a window, (*size of a window), above 0.
        regions: see `background`.
    """

    def __init__(
        self, canvas: Canvas, *, size: Sequence[int], axis: int, weight: Tensor, regions: bool
    ) -> None:
        self.canvas = canvas
        self.size = tuple(size)
        self.axis = axis
        self.weight = weight
        self.regions = regions
        self._length = min(weight.shape[axis], size[axis])
        self._start = 0
        self._sum = torch.empty(0)
        self._weights = torch.empty(0)

    def add(self, given: Box, inner: Box, logits: Tensor) -> None:
        """Take the logits of the voxels `given` of the image, which are `inner` of the window."""
        if self._sum.numel() == 0:
            slab = [self._length if a == self.axis else n for a, n in enumerate(self.size)]
            self._sum = logits.new_zeros(*logits.shape[:2], *slab, dtype=torch.float32)
            self._weights = logits.new_zeros(slab, dtype=torch.float32)
            self.weight = self.weight.to(logits.device)
            self._start = given[self.axis].start
        self._hand_on(given[self.axis].start)
        box = list(given)
        along = given[self.axis]
        box[self.axis] = slice(along.start - self._start, along.stop - self._start)
        place = (slice(None), slice(None), *box)
        self._sum[place] += self.weight[inner] * logits
        self._weights[tuple(box)] += self.weight[inner]

    def finish(self) -> Tensor:
        """Hand on what is left, and give the canvas's answer."""
        self._hand_on(self.size[self.axis])
        return self.canvas.result()

    def _hand_on(self, start: int) -> None:
        """Hand on what lies before `start`, which becomes the first voxel of the slab."""
        ready = min(start, self._start + self._length, self.size[self.axis]) - self._start
        if ready > 0 and self._sum.numel() > 0:
            mean = self._mean(ready)
            box = [slice(0, n) for n in self.size]
            box[self.axis] = slice(self._start, self._start + ready)
            self.canvas.put(tuple(box), mean)
            self._sum = _shifted(self._sum, self.axis + 2, by=ready)
            self._weights = _shifted(self._weights, self.axis, by=ready)
        self._start = max(start, self._start)

    def _mean(self, ready: int) -> Tensor:
        total = self._sum.narrow(self.axis + 2, 0, ready)
        weights = self._weights.narrow(self.axis, 0, ready)
        if weights.min() > 0:
            return total / weights
        empty = background(torch.empty_like(total), regions=self.regions)
        return torch.where(weights > 0, total / weights.clamp(min=1e-38), empty)


def _shifted(values: Tensor, dim: int, *, by: int) -> Tensor:
    """Drop the first voxels along a dimension, and append as many zeros."""
    kept = values.narrow(dim, by, values.shape[dim] - by)
    return torch.cat([kept, torch.zeros_like(values.narrow(dim, 0, by))], dim)
