"""Checks: what an image and its label must satisfy before anything is computed from them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry
from medseg.ingest.reasons import IngestError, Reason

_SHOWN_VALUES = 5


def check_same_grid(
    image: Geometry,
    label: Geometry,
    *,
    names: tuple[str, str] = ("image", "label"),
    tolerance: float = GRID_TOLERANCE_VOXELS,
) -> None:
    """Refuse an image and a label of which voxel (i, j, k) is not the same place.

    Args:
        image: the grid of the image.
        label: the grid of the label.
        names: what to call the two in the message, e.g. their files.
        tolerance: see `Geometry.difference`.

    Raises:
        IngestError: "different-grids", with the first difference and its size.

    Example:
        >>> grid = Geometry((2, 2, 2), np.eye(4))
        >>> check_same_grid(grid, grid)
    """
    if difference := image.difference(label, tolerance=tolerance):
        finding = f"{names[0]} and {names[1]} lie on different grids, {difference}"
        raise IngestError(Reason.DIFFERENT_GRIDS, finding)


def check_labels(array: np.ndarray, allowed: Collection[int], *, name: str = "label") -> None:
    """Refuse a label map with a value outside the declared set.

    Args:
        array: label map of any shape; whole numbers stored as floats pass.
        allowed: the declared values, background included. Not all need occur.
        name: what to call it in the message, e.g. its file.

    Raises:
        IngestError: "undeclared-labels", with the values and their voxel counts.

    Example:
        >>> check_labels(np.array([0, 1, 1]), (0, 1, 2))
    """
    declared = np.isin(array, sorted(allowed))
    if declared.all():
        return
    values, counts = np.unique(array[~declared], return_counts=True)
    shown = zip(values[:_SHOWN_VALUES].tolist(), counts.tolist(), strict=False)
    listed = ", ".join(f"{value:g} ({count} voxels)" for value, count in shown)
    more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
    finding = f"{name} holds {listed}{more}, outside the declared {sorted(allowed)}"
    raise IngestError(Reason.UNDECLARED_LABELS, finding)


def check_finite(array: np.ndarray, *, name: str = "image") -> None:
    """Refuse NaN and infinite voxels; integers pass unread.

    Raises:
        IngestError: "non-finite", with the number of NaN and of infinite voxels.
    """
    if not np.issubdtype(array.dtype, np.floating) or np.isfinite(array).all():
        return
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    raise IngestError(
        Reason.NON_FINITE, f"{name} has {nan} NaN and {infinite} infinite of {array.size} voxels"
    )
