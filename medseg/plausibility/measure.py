"""Measure: the quantities of an image, and those of a class of its label map."""

from collections.abc import Sequence

import numpy as np

from medseg.base.masks import find_box, label_components
from medseg.geometry import Geometry
from medseg.plausibility.voxel_values import TISSUE_ABOVE_HU, take_sample

LEAST_PIECE = 0.05
"""Pieces of less than this share of the largest are not counted: they are specks."""

MOST_VOXELS = 2**22
"""Of the box around a class, voxels in which pieces are counted; of a larger one every second
voxel along each axis is taken, or every third, and so on."""


def measure_image(
    array: np.ndarray, *, modality: str, grid: Geometry | None = None
) -> dict[str, float]:
    """The quantities of an image that are known: see `quantities.OF_IMAGE`.

    Args:
        array: (C, I, J) or (C, I, J, K), as read, before values are scaled.
        modality: "CT" in Hounsfield units where it is a volume, "MR" or "picture".
        grid: of a volume as it lies in its file; None leaves the sizes in millimetres out.
    """
    values = take_sample(array).astype(float)
    if values.size == 0:
        return {}
    if array.ndim == 4:
        return {**_measure_sizes(grid), **_measure_values(values, modality)}
    found = {"longest_px": float(max(array.shape[1:])), "brightness": float(values.mean())}
    return {**found, **(_measure_colours(array) if len(array) == 3 else {})}


def measure_class(mask: np.ndarray, *, voxel_ml: float | None = None) -> dict[str, float]:
    """The quantities of one class: see `quantities.OF_CLASS`; of an empty one its size alone.

    Args:
        mask: (I, J) or (I, J, K), true in the class.
        voxel_ml: of a voxel; None leaves the volume out, as of pictures.
    """
    across = tuple(range(mask.ndim - 1)) if mask.ndim == 3 else None
    counts = np.atleast_1d(np.count_nonzero(mask, axis=across))
    total = int(counts.sum())
    found = {"share": float(counts.max(initial=0) * counts.size / max(mask.size, 1))}
    if voxel_ml is not None:
        found["volume_ml"] = total * voxel_ml
    if total == 0:
        return found
    box = find_box(mask)
    inside = mask[box]
    for axis, part in enumerate(box):
        profile = inside.sum(axis=tuple(a for a in range(mask.ndim) if a != axis))
        centre = part.start + float(profile @ np.arange(len(profile))) / total
        found[f"place_{axis + 1}"] = (centre + 0.5) / mask.shape[axis]
    return {**found, "pieces": float(count_pieces(inside))}


def count_pieces(mask: np.ndarray) -> int:
    """Connected pieces, of which a speck is none, see `LEAST_PIECE`."""
    sizes = _measure_pieces(mask)
    return int(np.count_nonzero(sizes >= LEAST_PIECE * sizes.max(initial=0)))


def measure_share_beside_largest(mask: np.ndarray) -> float:
    """The share of a class that lies outside its largest connected piece; of an empty one 0.

    Example:
        >>> measure_share_beside_largest(np.array([1, 1, 1, 0, 1]) > 0)
        0.25
    """
    sizes = _measure_pieces(mask[find_box(mask)]) if mask.any() else np.zeros(0)
    return float(1 - sizes.max() / sizes.sum()) if sizes.sum() else 0.0


def _measure_pieces(mask: np.ndarray) -> np.ndarray:
    """How many of the voxels that are looked at each connected piece has, see `MOST_VOXELS`."""
    stride = max(1, int(np.ceil((mask.size / MOST_VOXELS) ** (1 / mask.ndim))))
    pieces, _ = label_components(mask[(slice(None, None, stride),) * mask.ndim], connectivity=1)
    return np.bincount(pieces.ravel())[1:]


def reaches_edge(mask: np.ndarray) -> bool:
    """Whether a class touches the border of its image, so that a part of it may lie beyond."""
    turned = (np.moveaxis(mask, axis, 0) for axis in range(mask.ndim))
    return any(face.any() for view in turned for face in (view[:1], view[-1:]))


def _measure_sizes(grid: Geometry | None) -> dict[str, float]:
    if grid is None:
        return {}
    sides: Sequence[float] = np.multiply(grid.shape, grid.spacing_mm).tolist()
    edge = float(np.prod(grid.spacing_mm)) ** (1 / 3)
    return {"longest_mm": max(sides), "shortest_mm": min(sides), "voxel_mm": edge}


def _measure_values(values: np.ndarray, modality: str) -> dict[str, float]:
    if modality == "CT":
        body = values[values > TISSUE_ABOVE_HU]
        return {"body_hu": float(np.median(body))} if body.size else {}
    dark, median, bright = np.percentile(values, (1, 50, 99))
    is_whole = bool((values == np.round(values)).all())
    negative = float(np.mean(values < 0)) if is_whole else 0.0
    if bright == dark:
        return {}
    return {"darkness": float((median - dark) / (bright - dark)), "negative": negative}


def _measure_colours(array: np.ndarray) -> dict[str, float]:
    stride = max(1, min(array.shape[1:]) // 256)
    red, green, blue = (float(c[::stride, ::stride].mean()) for c in array)
    total = red + green + blue + 1  # one grey value in a black picture is no colour
    return {"redness": (red - blue) / total, "greenness": (green - (red + blue) / 2) / total}
