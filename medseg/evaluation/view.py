"""View: one plane of a case, with its image, the truth and the prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from torch import Tensor

from medseg.geometry import Geometry
from medseg.inference.preview.field import Field, choose_field, measure_field, widen
from medseg.inference.preview.planes import Plane, Upright, find_extent, find_slice_axis

LEAST_FIELD_PIXELS = 64
"""At least so much of a picture is shown around a small structure."""

_FIELD = 1.5  # of the extent of truth and prediction
_SAMPLES = 100_000
_DRAWN_PERCENTILES = (1, 99)


@dataclass(frozen=True)
class View:
    """A part of a plane, seen from the feet, the front or the left; of a picture as in the file.

    Args:
        shades: (rows, columns) or (rows, columns, 3), 0 (black) to 1 (white).
        true, pred: class indices, (rows, columns).
        size: width and height, in `unit`.
        unit: "mm" or "pixels".
        place: which slice it is; empty for a picture.
        sides: letters of the left and the right side; empty for a picture.
    """

    shades: np.ndarray
    true: np.ndarray
    pred: np.ndarray
    size: tuple[float, float]
    unit: str
    place: str = ""
    sides: tuple[str, str] = ("", "")


def make_view(
    image: Tensor,
    true: np.ndarray,
    pred: np.ndarray,
    affine: np.ndarray,
    *,
    by_truth: bool = False,
) -> View:
    """The plane in which truth and prediction differ most, or else in which the truth is largest.

    A volume is cut across its slices. The image may lie on another grid than the two, such as that
    of the network; its values are taken where the voxels of the plane lie in the world. The view is
    magnified around what is true or predicted there, if that is small.

    Args:
        image: (C, *spatial), as the network saw it; of several channels the first that is not
            missing counts, but three of a picture are red, green and blue.
        true: class indices, (*spatial) with two or three axes.
        pred: likewise, of the same shape.
        affine: of the two, voxels to RAS+ in millimetres, (4, 4).
        by_truth: choose plane and part by the truth alone, so that the view of a case is the same
            for every prediction.
    """
    values = image.detach().cpu().float().numpy()
    if len(values) != 3 or values.ndim != 3:
        first = next((place for place, channel in enumerate(values) if channel.any()), 0)
        values = values[first : first + 1]
    own = np.asarray(getattr(image, "affine", affine), dtype=float)
    limits = _measure_limits(values)
    options: dict[str, Any] = {"limits": limits, "by_truth": by_truth}
    if true.ndim == 2:
        return _view_picture(values, true, pred, to_image=np.linalg.inv(own) @ affine, **options)
    return _view_volume(values, true, pred, affine, to_image=np.linalg.inv(own), **options)


def _view_volume(
    values: np.ndarray,
    true: np.ndarray,
    pred: np.ndarray,
    affine: np.ndarray,
    *,
    to_image: np.ndarray,
    limits: tuple[float, float],
    by_truth: bool,
) -> View:
    i, j, k = true.shape
    volume = Upright.turn(pred, true, Geometry((i, j, k), affine))
    axis = find_slice_axis(volume.grid)
    judged = volume.label if by_truth else volume.image
    plane = Plane(volume, axis, _find_worst(volume.label, judged, axis))
    found = plane.label if by_truth else plane.image
    field = choose_field(plane, mask=(plane.label > 0) | (found > 0))
    positions = plane.positions[field] @ to_image[:3, :3].T + to_image[:3, 3]
    number, count = plane.number
    height, width = measure_field(plane, field)
    return View(
        _shade(_sample(values, np.moveaxis(positions, -1, 0)), limits),
        plane.label[field],
        plane.image[field],
        (width, height),
        "mm",
        f"{plane.name}, slice {number} of {count}",
        plane.sides[:2],
    )


def _find_worst(true: np.ndarray, pred: np.ndarray, axis: int) -> int:
    """The slice with most voxels that differ, else with most of the truth, else the middle one."""
    others = tuple(a for a in range(3) if a != axis)
    for counts in (np.count_nonzero(mask, axis=others) for mask in (true != pred, true)):
        if counts.any():
            return int(counts.argmax())
    return true.shape[axis] // 2


def _view_picture(
    values: np.ndarray,
    true: np.ndarray,
    pred: np.ndarray,
    *,
    to_image: np.ndarray,
    limits: tuple[float, float],
    by_truth: bool,
) -> View:
    rows, columns = _choose_part((true > 0) | ((true if by_truth else pred) > 0))
    places = np.indices(true.shape, dtype=float)[:, rows, columns]
    positions = np.tensordot(to_image[:2, :2], places, 1) + to_image[:2, -1].reshape(2, 1, 1)
    sampled = _shade(_sample(values, positions), limits)
    size = (float(sampled.shape[1]), float(sampled.shape[0]))
    return View(sampled, true[rows, columns], pred[rows, columns], size, "pixels")


def _choose_part(mask: np.ndarray) -> Field:
    """The rows and columns around a mask; all of them if it is empty."""
    found = find_extent(mask)
    if found is None:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    least = max(_FIELD * max(part.stop - part.start for part in found), LEAST_FIELD_PIXELS)
    rows, columns = (widen(part, n, least) for part, n in zip(found, mask.shape, strict=True))
    return rows, columns


def _sample(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The values of each channel at voxel positions (axes, rows, columns), interpolated."""
    return np.stack(
        [ndimage.map_coordinates(channel, positions, order=1, mode="nearest") for channel in values]
    )


def _measure_limits(values: np.ndarray) -> tuple[float, float]:
    """The values that are drawn black and white: the percentiles 1 and 99 of a sample of all."""
    axes = values.ndim - 1
    step = math.ceil((values.size / _SAMPLES) ** (1 / axes))  # no copy, unlike a flat array
    every = (slice(None), *[slice(None, None, step)] * axes)
    sample = values[every]
    low, high = np.percentile(sample, _DRAWN_PERCENTILES)
    return float(low), float(high)


def _shade(sampled: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    shades = np.clip((sampled - low) / ((high - low) or 1.0), 0, 1)
    return shades[0] if len(shades) == 1 else np.moveaxis(shades, 0, -1)
