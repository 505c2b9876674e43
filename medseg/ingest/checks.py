"""Checks: what must hold before an image is read, and for an image and its label afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from medseg.base import memory
from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry
from medseg.ingest.reasons import IngestError, Reason

LABEL_TOLERANCE = 1e-3
"""A value this near to a whole number counts as it: a slope may be 0.9999999.

Interpolation makes values all the way between two labels, which this does not hide.
"""

_SHOWN_VALUES = 5
_BLOCK_VALUES = 2**20


def check_room(path: Path, needed: int) -> None:
    """Refuse what does not fit the memory that is free now.

    Args:
        path: the file or folder, for the message.
        needed: bytes that reading it takes at its height.

    Raises:
        IngestError: "no-memory", with both numbers. Nothing is refused where the system does not
            tell what is free.

    Example:
        >>> check_room(Path("case.nii.gz"), 2**20)
    """
    free = memory.find_available_bytes()
    if free is not None and needed > free:
        sizes = f"{needed / 1e9:.2f} GB of memory, {free / 1e9:.2f} GB are free"
        raise IngestError(Reason.NO_MEMORY, f"reading {path} takes {sizes}")


def check_same_grid(
    image: Geometry,
    label: Geometry,
    *,
    names: tuple[str, str] = ("image", "label"),
    tolerance: float = GRID_TOLERANCE_VOXELS,
) -> None:
    """Refuse an image and a label whose voxels (i, j, k) are not at the same place.

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
    if difference := image.describe_difference(label, tolerance=tolerance):
        finding = f"{names[0]} and {names[1]} lie on different grids, {difference}"
        raise IngestError(Reason.DIFFERENT_GRIDS, finding)


def round_labels(array: np.ndarray) -> np.ndarray:
    """Round the values of a label map that are near a whole number; others stay as they are.

    Example:
        >>> round_labels(np.array([0.9999999, 2.0, 2.5]))
        array([1. , 2. , 2.5])
    """
    if array.dtype.kind != "f":
        return array
    whole = np.rint(array)
    with np.errstate(invalid="ignore"):  # infinite less infinite
        return np.where(np.abs(array - whole) <= LABEL_TOLERANCE, whole, array)


def has_only(array: np.ndarray, allowed: Collection[int]) -> bool:
    """Whether a label map, rounded, has only declared values."""
    declared = sorted(allowed)
    return all(
        bool(np.isin(round_labels(part), declared).all()) for part in _split_into_blocks(array)
    )


def describe_undeclared(array: np.ndarray, allowed: Collection[int]) -> str:
    """List the undeclared values of a label map, rounded, with voxel counts; "" if it has none."""
    declared = sorted(allowed)
    found = [_count_undeclared(part, declared) for part in _split_into_blocks(array)]
    every, inverse = np.unique(np.concatenate([v for v, _ in found]), return_inverse=True)
    if not every.size:
        return ""
    weights = np.concatenate([count for _, count in found])
    values, counts = every, np.bincount(inverse, weights=weights).astype(int)
    shown = zip(values[:_SHOWN_VALUES], counts.tolist(), strict=False)
    listed = ", ".join(f"{_format_value(value)} ({count} voxels)" for value, count in shown)
    more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
    return listed + more


def _count_undeclared(part: np.ndarray, declared: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Count the undeclared values of a part of a label map, rounded."""
    rounded = round_labels(part)
    return np.unique(rounded[~np.isin(rounded, declared)], return_counts=True)


def _split_into_blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Split all values into parts, in the order of memory, so that copies of a part stay small."""
    flat = array.ravel(order="K")
    for start in range(0, max(flat.size, 1), _BLOCK_VALUES):
        yield flat[start : start + _BLOCK_VALUES]


def check_labels(array: np.ndarray, allowed: Collection[int], *, name: str = "label") -> None:
    """Refuse a label map with a value outside the declared set.

    Args:
        array: label map of any shape; whole numbers stored as floats pass, and so does what is
            within `LABEL_TOLERANCE` of one.
        allowed: the declared values, background included. Not all need occur.
        name: what to call it in the message, e.g. its file.

    Raises:
        IngestError: "undeclared-labels", with the values and their voxel counts.

    Example:
        >>> check_labels(np.array([0, 1, 1]), (0, 1, 2))
    """
    if found := describe_undeclared(array, allowed):
        finding = f"{name} holds {found}, outside the declared {sorted(allowed)}"
        raise IngestError(Reason.UNDECLARED_LABELS, finding)


def to_labels(array: np.ndarray, allowed: Collection[int], *, name: str) -> np.ndarray:
    """Check a label map and give it the smallest integer type that holds the declared values.

    Raises:
        IngestError: "undeclared-labels", see `check_labels`.
    """
    check_labels(array, allowed, name=name)
    smallest = np.result_type(*(np.min_scalar_type(value) for value in allowed))
    if array.dtype.kind != "f":
        return array.astype(smallest, copy=False)
    labels = np.empty_like(array, dtype=smallest)
    parts = _split_into_blocks(labels)
    for part, given in zip(parts, _split_into_blocks(array), strict=True):
        part[...] = round_labels(given)
    return labels


def _format_value(value: np.generic) -> str:
    """Format a value with enough digits to distinguish it from every other of its type."""
    if isinstance(value, np.floating) and np.isfinite(value):
        return np.format_float_positional(value, trim="-")
    return str(value)


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
