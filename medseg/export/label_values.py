"""Label values: whether a mask fits its grid and its label table, before it becomes an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.labels import LabelTable


def check_shape(mask: NDArray, geometry: Geometry) -> None:
    """Refuse a mask (..., I, J, K) that has another shape than its grid.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape[-3:] != geometry.shape:
        raise ValueError(
            f"the mask has the shape {mask.shape[-3:]} and its grid {geometry.shape}: give the "
            "geometry of the mask"
        )


def check_probabilities(values: NDArray, quantity: str) -> None:
    """Refuse numbers that are no probability, or another quantity of 0 to 1.

    Raises:
        ValueError: some are not finite, or below 0 or above 1.
    """
    if not np.isfinite(values).all():
        count = int(values.size - np.isfinite(values).sum())
        raise ValueError(
            f"{quantity} goes from 0 to 1, and {count} of {values.size} values are infinite or "
            "no number: set them to 0, or look for the fault in what computed them"
        )
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f"{quantity} goes from 0 to 1, and the values from {values.min():g} to "
            f"{values.max():g}: scale them"
        )


def check_upright(geometry: Geometry) -> None:
    """Refuse a grid for which DICOM has no place.

    Raises:
        ValueError: the grid is sheared.
    """
    if not geometry.is_orthogonal:
        raise ValueError("the grid of the mask is sheared: resample the image to an upright grid")


def check_label_values(mask: NDArray, geometry: Geometry, labels: LabelTable) -> NDArray[np.uint8]:
    """The label values of a mask (I, J, K), each of which has a label.

    Raises:
        ValueError: as `check_shape`; or a value has no label.

    Example:
        >>> check_label_values(mask, geometry, make_table(["liver"])).max()  # doctest: +SKIP
        1
    """
    check_shape(mask, geometry)
    if mask.ndim != 3:
        raise ValueError(f"the mask has {mask.ndim} axes: give label values (I, J, K)")
    values = mask.astype(np.uint8)
    if not np.array_equal(values, mask) or values.max() >= len(labels):
        raise ValueError(
            f"the mask holds values from {mask.min():g} to {mask.max():g} and the label table "
            f"{len(labels)} labels from 0: give each value a label"
        )
    return values
