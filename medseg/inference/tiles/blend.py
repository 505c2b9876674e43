"""Blender: overlapping windows, weighed and added up in a slab that moves along the image."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from medseg.inference.tiles.canvas import Box, Canvas, fill_background


class Blender:
    """Passes each voxel's weighted mean to a canvas as soon as no later window covers it.

    Windows come ordered by their start along one axis. Sums are kept for the length of one window
    along that axis, however long the image is. They form a ring of rows: plane p of the image has
    the row p modulo that length. Means are passed on plane by plane.

    Args:
        canvas: receives the means; a voxel that no window covers is background.
        size: of the image, per axis.
        axis: along which windows come in order.
        weight: of each voxel of a window, (*size of a window), above 0.
        regions: see `fill_background`.
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
        self._sums = torch.empty(0)  # (planes, B, C, *other axes)
        self._weights = torch.empty(0)  # (planes, *other axes)

    def add(self, given: Box, inner: Box, logits: Tensor) -> None:
        """Add the logits of one window.

        Args:
            given: its place in the image.
            inner: the part of the window that counts.
            logits: of that part.
        """
        along = given[self.axis]
        if self._sums.numel() == 0:
            others = [n for axis, n in enumerate(self.size) if axis != self.axis]
            rows = (self._length, *logits.shape[:2], *others)
            self._sums = logits.new_zeros(rows, dtype=torch.float32)
            self._weights = logits.new_zeros((self._length, *others), dtype=torch.float32)
            self.weight = self.weight.to(logits.device)
            self._start = along.start
        self._pass_on(along.start)
        weight = self.weight[inner]
        weighed = (weight * logits).movedim(self.axis + 2, 0)
        weight = weight.movedim(self.axis, 0)
        box = tuple(s for axis, s in enumerate(given) if axis != self.axis)
        for ring, planes in self._find_rows(along.start, along.stop):
            everything = (ring, slice(None), slice(None), *box)
            self._sums[everything] += weighed[planes]
            place = (ring, *box)
            self._weights[place] += weight[planes]

    def finish(self) -> Tensor:
        """Pass on what is left, and return the result of the canvas."""
        self._pass_on(self.size[self.axis])
        return self.canvas.get_result()

    def _find_rows(self, start: int, stop: int) -> Iterator[tuple[slice, slice]]:
        """The rows of the ring for the planes from `start` to `stop`, and which planes they are."""
        at = start
        while at < stop:
            row = at % self._length
            count = min(stop - at, self._length - row)
            yield slice(row, row + count), slice(at - start, at - start + count)
            at += count

    def _pass_on(self, start: int) -> None:
        """Pass on the planes before `start`, which is the first one that is still to come."""
        last = min(start, self._start + self._length, self.size[self.axis])
        if self._sums.numel() > 0:
            for plane in range(self._start, last):
                self._pass_on_plane(plane)
        self._start = max(start, self._start)

    def _pass_on_plane(self, plane: int) -> None:
        """Give the canvas the means of a plane, and clear its row for a plane to come."""
        row = plane % self._length
        total, weights = self._sums[row], self._weights[row]
        covered = weights > 0
        total /= torch.where(covered, weights, 1)
        if not covered.all():
            empty = fill_background(torch.empty_like(total), regions=self.regions)
            total = torch.where(covered, total, empty)
        box = [slice(0, n) for n in self.size]
        box[self.axis] = slice(plane, plane + 1)
        self.canvas.put(tuple(box), total.unsqueeze(self.axis + 2))
        self._sums[row] = 0
        self._weights[row] = 0
