"""Body size: whether the body that a CT shows is as large as a patient's.

A header may state sizes in another unit, or several times the right ones. Sides of an image say
little, since it may be a crop; the body itself says more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from medseg.base.masks import label_components
from medseg.plausibility.voxel_values import BODY_ABOVE_HU

MOST_LINES, MOST_SLICES = 128, 32
"""Rows, columns and slices that are looked at, about."""

WIDEST_MM, WIDE_MM = 800.0, 650.0
"""Scans that were measured show bodies of 215 to 400 mm; with the arms at its sides a large body is
650 mm wide. No opening of a scanner is wider than 850 mm."""

LARGEST_CM2, LARGE_CM2 = 3500.0, 2000.0
"""Cross-sections: 360 to 770 cm2 in scans that were measured."""

SMALLEST_TRUNK_MM, SMALL_TRUNK_MM = 50.0, 100.0
"""The trunk of a child born too early is 60 to 100 mm wide, and a mouse 30 mm."""

FINEST_TRUNK_MM, COARSEST_MM = 0.33, 8.5
"""Edges of a voxel within a slice: 0.4 to 2 mm as scanned, up to 6 mm where it was resampled."""

SEEN_FROM_OUTSIDE = 0.2
"""Of the border of the slices, less than this share is body where the body is seen from outside."""

LEAST_SIDE = 32
"""Fewer voxels along a side of the slices show too little."""


class BodySize(NamedTuple):
    """The body in a CT: its largest width in mm, and largest cross-section in cm2, of any slice,
    and whether it is seen from outside."""

    width_mm: float
    area_cm2: float
    is_whole: bool


def measure_body(hu: np.ndarray, spacing_mm: Sequence[float]) -> BodySize | None:
    """The size of the body, the largest connected part of each slice; None in small slices.

    Args:
        hu: (I, J, K), slices across the last axis.
        spacing_mm: of its voxels, along each axis.
    """
    if min(hu.shape[:2]) < LEAST_SIDE:
        return None
    stride = max(1, min(hu.shape[:2]) // MOST_LINES)
    slices = hu[::stride, ::stride, :: max(1, hu.shape[2] // MOST_SLICES)] > BODY_ABOVE_HU
    edges = [float(edge) * stride for edge in spacing_mm[:2]]
    width, area = 0.0, 0.0
    for k in range(slices.shape[2]):
        pieces, _ = label_components(slices[..., k], connectivity=1)
        sizes = np.bincount(pieces.ravel())[1:]
        if not sizes.size:
            continue
        box = ndimage.find_objects(pieces)[int(sizes.argmax())]
        sides = [(part.stop - part.start) * edge for part, edge in zip(box, edges, strict=True)]
        width, area = max(width, *sides), max(area, float(sizes.max()) * edges[0] * edges[1] / 100)
    return BodySize(width, area, measure_border_share(slices) < SEEN_FROM_OUTSIDE)


def measure_border_share(mask: np.ndarray) -> float:
    """The share of the border of slices, (I, J, K), that is in a mask."""
    border = [mask[0], mask[-1], mask[:, 0], mask[:, -1]]
    return float(np.mean(np.concatenate([part.ravel() for part in border])))


def judge_body(body: BodySize, *, is_trunk: bool) -> tuple[str | None, str | None]:
    """Say why a body cannot be that of a patient, or what is unlikely in it; at most one of both.

    Args:
        body: see `measure_body`. The smallest sizes count where it is seen from outside alone.
        is_trunk: whether chest or abdomen should be seen; a finger is small.

    Example:
        >>> judge_body(BodySize(1089, 6400, True), is_trunk=True)[0]
        'the body in it is 1089 mm wide, more than 800 mm'
    """
    width, area = body.width_mm, body.area_cm2
    if width > WIDEST_MM:
        return f"the body in it is {width:.0f} mm wide, more than {WIDEST_MM:.0f} mm", None
    if area > LARGEST_CM2:
        return f"a slice of the body is {area:.0f} cm2, more than {LARGEST_CM2:.0f} cm2", None
    if is_trunk and body.is_whole and width < SMALLEST_TRUNK_MM:
        words = f"the body in it is {width:.0f} mm wide, less than {SMALLEST_TRUNK_MM:.0f} mm"
        return words, None
    if width > WIDE_MM or area > LARGE_CM2:
        return None, (
            f"the body in it is {width:.0f} mm wide, of {area:.0f} cm2, and up to {WIDE_MM:.0f} mm "
            f"and {LARGE_CM2:.0f} cm2 are usual: {_UNIT}"
        )
    if is_trunk and body.is_whole and width < SMALL_TRUNK_MM:
        return None, (
            f"the body in it is {width:.0f} mm wide, and {SMALL_TRUNK_MM:.0f} mm and more are "
            f"usual: {_UNIT}"
        )
    return None, None


def describe_edge_doubts(spacing_mm: Sequence[float], *, is_trunk: bool) -> str | None:
    """Say that the voxels of slices are finer or coarser than those of scans; else None."""
    middle = float(sorted(spacing_mm)[1])
    least = FINEST_TRUNK_MM if is_trunk else 0.0
    if least <= middle <= COARSEST_MM:
        return None
    usual = f"{least:g} to {COARSEST_MM:g} mm are" if is_trunk else f"up to {COARSEST_MM:g} mm is"
    return f"its voxels have an edge of {middle:.3g} mm, and {usual} usual: {_UNIT}"


_UNIT = "sizes may be stated wrongly"
