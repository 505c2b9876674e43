"""Sizes: how large a structure is in the truth and in the prediction."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def measure_sizes(
    pred: np.ndarray, label: np.ndarray, *, voxel_mm: float | None
) -> dict[str, float]:
    """The sizes of two binary masks, by names that state their unit.

    Volumes are in millilitres, areas in square millimetres. Where the size of a voxel is unknown,
    the masks are counted in pixels (2D) or voxels (3D).

    Args:
        pred: boolean array, 2D or 3D.
        label: the truth, of the same shape.
        voxel_mm: of a voxel, in cubic millimetres (3D) or square ones (2D); None if unknown.

    Example:
        >>> mask = np.ones((10, 10, 10), bool)
        >>> measure_sizes(mask[:5], mask, voxel_mm=2.0)
        {'true_ml': 2.0, 'predicted_ml': 1.0}
    """
    is_volume = label.ndim == 3
    if voxel_mm is None:
        name, each = ("voxels" if is_volume else "pixels"), 1.0
    else:
        name, each = ("ml", voxel_mm / 1000) if is_volume else ("mm2", voxel_mm)
    true, predicted = (each * int(np.count_nonzero(mask)) for mask in (label, pred))
    return {f"true_{name}": true, f"predicted_{name}": predicted}


def read_sizes(row: Mapping[str, Any]) -> tuple[float, float, str]:
    """The sizes in a row of scores: true, predicted, and their unit.

    Raises:
        ValueError: the row has no sizes.

    Example:
        >>> read_sizes({"case": "a", "true_ml": 2.0, "predicted_ml": 1.0})
        (2.0, 1.0, 'mL')
    """
    for name, unit in _UNITS.items():
        if f"true_{name}" in row:
            return row[f"true_{name}"], row[f"predicted_{name}"], unit
    raise ValueError(f"a row of scores must have the sizes of a class, got {', '.join(row)}")


_UNITS = {"ml": "mL", "mm2": "mm2", "pixels": "pixels", "voxels": "voxels"}
