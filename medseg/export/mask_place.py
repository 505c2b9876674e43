"""Mask place: whether a mask lies within the images that it was made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import find_box
from medseg.export.source.images import SourceImages
from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry

MOST_OUTSIDE = 0.5
"""A larger part of a mask outside of its images shows that its grid is wrong. A crop that is padded
a little, or a part of a structure that goes on beyond the images, stays below it."""

_AT_ZERO_MM = 1e-6
_REMEDY = (
    "give the geometry of the mask, which is that of the series unless it was cropped, turned or "
    "resampled"
)


def check_place(mask: NDArray, geometry: Geometry, images: SourceImages) -> None:
    """Refuse a mask whose grid puts it beside the images or was forgotten.

    An affine that was forgotten, such as `np.eye(4)`, can also put a mask within its images, at a
    wrong place. It is known by three signs: the mask has as many voxels along its axes as the
    images, its first voxel lies at 0, 0, 0 mm, and the images have no corner there. A mask that was
    mirrored or turned has its first voxel at a corner of the images, and one that was cropped or
    resampled has other numbers of voxels.

    Args:
        mask: (I, J, K), what is not 0 is within. Of an empty one the whole grid is judged.
        geometry: its grid.
        images: the source.

    Raises:
        ValueError: more than half of the voxels lie outside the images, or of an empty mask the
            whole grid; or the affine was forgotten.

    Example:
        >>> check_place(mask, Geometry(mask.shape, np.eye(4)), images)  # doctest: +SKIP
        Traceback (most recent call last):
        ValueError: 100 % of the mask lies outside the images that it was made from (...)
    """
    if geometry.same_grid(images.geometry):
        return
    is_within = np.asarray(mask) != 0
    outside = (
        _measure_outside(is_within, geometry, images.geometry)
        if is_within.any()
        else float(_is_beside(geometry, images.geometry))
    )
    if outside > MOST_OUTSIDE:
        raise ValueError(
            f"{100 * outside:.0f} % of the mask lies outside the images that it was made from "
            f"({_compare_spans(geometry, images.geometry)}): {_REMEDY}"
        )
    if _is_forgotten(geometry, images.geometry):
        raise ValueError(
            "the mask has the size of the images that it was made from and begins at 0, 0, 0 mm, "
            "where they have no corner, as where an affine was forgotten "
            f"({_compare_spans(geometry, images.geometry)}): {_REMEDY}"
        )


def find_high(values: NDArray) -> NDArray[np.bool_]:
    """Where numbers (..., I, J, K) exceed half of the highest: where a probability marks something.

    Example:
        >>> find_high(np.array([[[0.001, 0.9, 0.4]]])).tolist()
        [[[False, True, False]]]
    """
    high = values > values.max() / 2
    return high.reshape(-1, *values.shape[-3:]).any(axis=0)


def _measure_outside(is_within: NDArray[np.bool_], geometry: Geometry, source: Geometry) -> float:
    """The part of the voxels whose centre lies outside a volume."""
    box = find_box(is_within)
    corners = _list_corners([(axis.start, axis.stop - 1) for axis in box])
    if _are_inside(corners, geometry, source).all():
        return 0.0
    start = np.array([axis.start for axis in box])
    inside = sum(
        np.count_nonzero(_are_inside(_list_voxels(plane, k) + start, geometry, source))
        for k, plane in enumerate(np.moveaxis(is_within[box], 2, 0))
    )
    return 1 - inside / np.count_nonzero(is_within)


def _list_voxels(plane: NDArray[np.bool_], k: int) -> NDArray[np.intp]:
    return np.pad(np.argwhere(plane), ((0, 0), (0, 1)), constant_values=k)


def _are_inside(voxels: NDArray, geometry: Geometry, source: Geometry) -> NDArray[np.bool_]:
    at = source.world_to_voxel(geometry.voxel_to_world(voxels))
    edge = 0.5 + GRID_TOLERANCE_VOXELS
    return np.all((at > -edge) & (at < np.array(source.shape) - 1 + edge), axis=-1)


def _is_beside(geometry: Geometry, source: Geometry) -> bool:
    """Whether two grids have no place in common."""
    corners = _list_corners([(-0.5, n - 0.5) for n in geometry.shape])
    at = source.world_to_voxel(geometry.voxel_to_world(corners))
    return bool(((at.max(0) < -0.5) | (at.min(0) > np.array(source.shape) - 0.5)).any())


def _list_corners(ends: list[tuple[float, float]]) -> NDArray[np.float64]:
    return np.array(np.meshgrid(*ends)).reshape(3, -1).T.astype(float)


def _is_forgotten(geometry: Geometry, source: Geometry) -> bool:
    """Whether a grid of the source's size begins at 0, 0, 0 mm, and the source has no corner there.

    Example:
        >>> source = Geometry((4, 4, 2), np.array([[-2.0, 0, 0, 3], [0, -2, 0, 3], [0, 0, 5, -4],
        ...                                        [0, 0, 0, 1]]))
        >>> _is_forgotten(Geometry((4, 4, 2), np.eye(4)), source)
        True
    """
    has_its_size = sorted(geometry.shape) == sorted(source.shape)
    if not has_its_size or np.abs(geometry.affine[:3, 3]).max() > _AT_ZERO_MM:
        return False
    corners = _list_corners([(0, n - 1) for n in source.shape])
    zero = source.world_to_voxel(np.zeros((1, 3)))
    return not (np.abs(corners - zero) <= 0.5 + GRID_TOLERANCE_VOXELS).all(axis=1).any()


def _compare_spans(geometry: Geometry, source: Geometry) -> str:
    return f"its grid goes from {_span(geometry)}, the images from {_span(source)}, in RAS+ mm"


def _span(geometry: Geometry) -> str:
    """From the lowest to the highest coordinates of the voxels' centres."""
    corners = _list_corners([(0, n - 1) for n in geometry.shape])
    places = geometry.voxel_to_world(corners)
    ends = (places.min(0), places.max(0))
    return " to ".join(f"({', '.join(f'{value:.0f}' for value in end)})" for end in ends)
