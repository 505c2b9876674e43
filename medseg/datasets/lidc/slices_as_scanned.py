"""LIDC slices as scanned: those that the readers drew on, where the CT was resampled since.

A series whose slices are tilted, unevenly spaced or missing is resampled when that is asked for.
The readers' outlines are in pixels of the slices as they were, so they are rasterised there, and
each reader's mask follows the image onto the grid of the volume:

- within its plane a slice's mask moves as its image does, by the nearest whole number of pixels.
  Linear interpolation and a threshold of one half give the same for a shift along one axis, which a
  tilted gantry is, except that an outline of n pixels becomes n + 1 wide where the shift ends in
  one half; so moved, every outline keeps its area. It is never off by more than half a pixel;
- a plane between two slices has the weighted mean of their masks, where that is at least one half,
  as its image is the weighted mean of theirs: the mask of the nearer slice, and midway all that is
  in either. So the mask ends where the image is half way from the nodule to what is around it.

A single point, and an outline so thin that nothing of it would be left, goes to the nearest plane:
no mark gets lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medseg.ingest.dicom.resample import Resampling

HALF_TOLERANCE = 1e-3
"""A plane is midway between two slices when its weight is this near to one half (rounding)."""


@dataclass(frozen=True, eq=False)
class OriginalSlices:
    """The slices of a resampled series as they were, sorted as the planes of the volume.

    Attributes:
        shape: columns, rows and number of the slices.
        z_mm: z of the first pixel of each, NaN where it is not known.
        resampling: how they were laid onto the grid of the volume.
    """

    shape: tuple[int, int, int]
    z_mm: NDArray[np.float64]
    resampling: Resampling

    @cached_property
    def interpolated_planes(self) -> NDArray[np.int64]:
        """The planes of the volume that lie between two slices, and so were made up."""
        return np.array(
            [m for m in range(self._planes) if self.resampling.find_neighbours(m)[1] > 0]
        )

    def move_to_grid(self, voxels: NDArray[np.int64], *, is_outline: bool) -> NDArray[np.int64]:
        """Move the voxels of a mark from the slices onto the grid of the volume.

        Args:
            voxels: flat indices into `shape`.
            is_outline: whether they are what an outline encloses, and not a point.

        Returns:
            Sorted flat indices into the shape of the volume, at least one unless `voxels` is empty.
        """
        columns, rows, slices = np.unravel_index(voxels, self.shape)
        exact = np.stack([rows, columns], axis=1) - self.resampling.offsets[slices]
        moved = np.floor(exact + 0.5).astype(np.int64)
        of_planes = [(m, slices == k) for m, k in self._sources] if is_outline else []
        parts = [
            self._to_flat_indices(moved[here], np.full(here.sum(), m)) for m, here in of_planes
        ]
        if any(part.size for part in parts):
            return np.unique(np.concatenate(parts))
        depths_mm = self.resampling.depths_mm[slices]
        nearest = np.rint(depths_mm / self.resampling.step_mm).astype(np.int64)
        return np.unique(self._to_flat_indices(moved, nearest))

    @property
    def _planes(self) -> int:
        return self.resampling.geometry.shape[2]

    @cached_property
    def _sources(self) -> tuple[tuple[int, int], ...]:
        return tuple(_find_sources(self.resampling))

    def _to_flat_indices(
        self, pixels: NDArray[np.int64], planes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Flat indices of pixels (n, 2), row before column, in planes of the volume."""
        place = (pixels[:, 1], pixels[:, 0], planes)
        return np.ravel_multi_index(place, self.resampling.geometry.shape)


def _find_sources(resampling: Resampling) -> Iterator[tuple[int, int]]:
    """Each plane of the grid with a slice that has half of its weight, or more."""
    for plane in range(resampling.geometry.shape[2]):
        below, weight = resampling.find_neighbours(plane)
        if weight <= 0.5 + HALF_TOLERANCE:
            yield plane, below
        if weight >= 0.5 - HALF_TOLERANCE:
            yield plane, below + 1
