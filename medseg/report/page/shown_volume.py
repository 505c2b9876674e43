"""Shown volume: an image and its label map, coarse and small enough for a page of a report."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from medseg.base.masks import find_box
from medseg.geometry import Geometry

MOST_VOXELS = 10_000_000
"""Of a volume that is shown: 215 along each axis. A graphics processor of a phone holds it."""

MOST_SOLID_VOXELS = 2_000_000
"""Of the part of the label map that the 3D view shows: it is computed anew with each turn."""

MOST_BYTES = 16_000_000
"""Of both files together; in base64 that is 21.3 MB of the 25 MB that a page may have."""

MOST_STEPS = 4095
"""Whole numbers that tell the values of an image apart: 12 bits, as most scanners measure."""

HU_RANGE = (-1024.0, 3071.0)
"""Values of a CT beyond it, as of metal and padding, are shown as its ends."""

SHARES = (0.5, 1.0, 5.0, 95.0, 99.0, 99.5)
"""Percent of the voxels below the values that a page offers as the ends of a window."""

_KNOWN = [np.dtype(t) for t in (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)]
_MARGIN = 2  # voxels of background around the structures in the 3D view
_OFFSET = 352  # bytes before the voxels of a NIfTI file
_ROBUST = (0.1, 99.9)  # percentiles between which values of other images are told apart
_SAMPLES = 2_000_000  # voxels that are looked at for these percentiles


@dataclass(frozen=True)
class ShownVolume:
    """An image and its label map as the page has them.

    Attributes:
        image: packed NIfTI, int16; its header's slope and intercept give the values of the image.
        mask: packed NIfTI, uint8, on the same grid.
        solid: the part of the label map that holds the structures, for the 3D view; None where no
            voxel has a label.
        geometry: the grid of image and mask.
        source_shape: of the source.
        shrink: how many voxels of the source became one, along each axis.
        percentiles: the value of the shown image below which each of `SHARES` lies.
        kept: the label values that the shown label map still has.
    """

    image: bytes
    mask: bytes
    solid: bytes | None
    geometry: Geometry
    source_shape: tuple[int, int, int]
    shrink: tuple[int, int, int]
    percentiles: dict[float, float]
    kept: frozenset[int]


def shrink_volume(
    image: NDArray,
    mask: NDArray[np.uint8],
    geometry: Geometry,
    *,
    unit: str = "",
    most_voxels: int = MOST_VOXELS,
    most_bytes: int = MOST_BYTES,
) -> ShownVolume:
    """Make an image and its label map small enough for a page.

    A whole number of voxels along each axis becomes one: the image takes their mean, the label map
    the label of the voxel in their middle (of the 2, 4 or 8 in the middle the most frequent one, so
    that nothing moves). A volume that is small enough stays as it is, but for values beyond
    `HU_RANGE`, or finer than `MOST_STEPS`.

    Args:
        image: (I, J, K), finite values.
        mask: (I, J, K), label values.
        geometry: the grid of both.
        unit: "HU" for the values of a CT.
        most_voxels: of the shown volume.
        most_bytes: of the two packed files together.

    Example:
        >>> small = shrink_volume(np.zeros((9, 4, 4)), np.zeros((9, 4, 4), np.uint8),
        ...                       Geometry((9, 4, 4), np.eye(4)), most_voxels=40)
        >>> small.shrink, small.geometry.shape, small.geometry.origin_mm
        ((2, 2, 2), (5, 2, 2), (0.5, 0.5, 0.5))
    """
    if image.shape != mask.shape or mask.shape != geometry.shape:
        raise ValueError(
            f"image, mask and grid have the shapes {image.shape}, {mask.shape} and "
            f"{geometry.shape}: give those of one image"
        )
    for factors in _list_factors(geometry, most_voxels):
        grid = _shrink_geometry(geometry, factors)
        steps, slope, intercept = _quantise(_average(image, factors), unit)
        labels = _pick_labels(mask, factors)
        files = (_pack(steps, grid, slope, intercept), _pack(labels, grid))
        if sum(map(len, files)) <= most_bytes:
            break
    ranked = np.percentile(_sample(steps), SHARES) * slope + intercept
    return ShownVolume(
        *files,
        solid=_pack_solid(labels, grid),
        geometry=grid,
        source_shape=geometry.shape,
        shrink=factors,
        percentiles={p: float(v) for p, v in zip(SHARES, ranked, strict=True)},
        kept=frozenset(np.flatnonzero(np.bincount(labels.ravel(order="K"))).tolist()),
    )


def _pack_solid(labels: NDArray[np.uint8], geometry: Geometry) -> bytes | None:
    """The box that holds the labels, with background around it, coarse enough for the 3D view."""
    if not labels.any():
        return None
    part = np.pad(labels[find_box(labels)], _MARGIN)
    affine = geometry.affine.copy()
    start = [one.start - _MARGIN for one in find_box(labels)]
    affine[:3, 3] = geometry.voxel_to_world(start)
    i, j, k = part.shape
    grid = Geometry((i, j, k), affine)
    factors = next(_list_factors(grid, MOST_SOLID_VOXELS))
    return _pack(_pick_labels(part, factors), _shrink_geometry(grid, factors))


def _list_factors(geometry: Geometry, most_voxels: int) -> Iterator[tuple[int, int, int]]:
    """How many voxels become one along each axis: few enough voxels, then ever fewer."""
    factors = np.ones(3, int)
    shape, spacing = np.array(geometry.shape), np.array(geometry.spacing_mm)
    while True:
        left = -(-shape // factors)
        if left.prod() <= most_voxels:
            i, j, k = factors.tolist()
            yield i, j, k
        if left.prod() == 1:
            return
        factors[np.where(left > 1, factors * spacing, np.inf).argmin()] += 1


def _shrink_geometry(geometry: Geometry, factors: tuple[int, int, int]) -> Geometry:
    """The grid of voxels that each lie in the middle of those they are made of."""
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.voxel_to_world((np.array(factors) - 1) / 2)
    affine[:3, :3] *= factors
    i, j, k = (-(-n // f) for n, f in zip(geometry.shape, factors, strict=True))
    return Geometry((i, j, k), affine)


def _average(image: NDArray, factors: tuple[int, int, int]) -> NDArray:
    """The mean of each block of voxels; of whole numbers, the nearest whole number."""
    values = image if image.dtype in _KNOWN else image.astype(np.float32)
    if factors != (1, 1, 1):
        source = sitk.GetImageFromArray(_fill_up(values, factors).T)
        values = sitk.GetArrayFromImage(sitk.BinShrink(source, factors)).T
    return np.nan_to_num(values)


def _pick_labels(mask: NDArray[np.uint8], factors: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The most frequent label in the middle of each block of voxels; of two, the larger value."""
    filled = _fill_up(mask, factors)
    middles = product(*({(f - 1) // 2, f // 2} for f in factors))
    around = np.stack(
        [
            filled[tuple(slice(m, None, f) for m, f in zip(middle, factors, strict=True))]
            for middle in middles
        ]
    )
    picked = around[0]
    if len(around) > 1:
        found = around.any(axis=0)
        picked[found] = _find_most_frequent(around[:, found])
    return picked


def _find_most_frequent(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent of some labels, (labels, voxels), at each voxel."""
    best, most = np.zeros(labels.shape[1], np.uint8), np.zeros(labels.shape[1], np.uint8)
    for each in labels:
        count = (labels == each).sum(axis=0, dtype=np.uint8)
        better = (count > most) | ((count == most) & (each > best))
        best[better], most[better] = each[better], count[better]
    return best


def _fill_up(volume: NDArray, factors: tuple[int, int, int]) -> NDArray:
    """Repeat the last voxels until whole blocks fill a volume."""
    missing = [(0, -n % f) for n, f in zip(volume.shape, factors, strict=True)]
    return np.pad(volume, missing, mode="edge") if any(n for _, n in missing) else volume


def _quantise(values: NDArray, unit: str) -> tuple[NDArray[np.int16], float, float]:
    """Values as at most `MOST_STEPS` whole numbers; with the slope and intercept back to them."""
    if unit == "HU":
        return np.clip(np.rint(values), *HU_RANGE).astype(np.int16), 1.0, 0.0
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer) and high - low <= MOST_STEPS:
        return (values - values.dtype.type(low)).astype(np.int16), 1.0, low
    low, high = (float(v) for v in np.percentile(_sample(values), _ROBUST, method="nearest"))
    slope = (high - low) / MOST_STEPS or 1.0
    steps = np.rint((np.clip(values, low, high) - low) / slope)
    return steps.astype(np.int16), slope, low


def _sample(values: NDArray) -> NDArray:
    """Some of the values, evenly spread over a volume."""
    step = max(1, round((values.size / _SAMPLES) ** (1 / 3)))
    return values[::step, ::step, ::step]


def _pack(values: NDArray, geometry: Geometry, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """A packed NIfTI file of an array as it is, by the fastest level."""
    header = nib.Nifti1Header()
    header.set_data_dtype(values.dtype)
    header.set_xyzt_units("mm")
    made = nib.Nifti1Image(values, geometry.affine, header)
    made.set_sform(geometry.affine, code="scanner")
    made.set_qform(geometry.affine, code="scanner")
    made.header["vox_offset"] = _OFFSET
    made.header["scl_slope"], made.header["scl_inter"] = slope, intercept
    content = made.header.binaryblock.ljust(_OFFSET, b"\0") + values.tobytes(order="F")
    return gzip.compress(content, 1, mtime=0)
