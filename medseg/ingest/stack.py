"""Stack: slices sorted along their normal, checked for regularity, and the grid they make.

Works in the DICOM patient system, LPS+ millimetres (PS3.3 C.7.6.2.1.1), which only `stack_geometry`
leaves. The slices have passed the slice rules, so they are parallel and complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medseg.geometry import ORTHOGONALITY_TOLERANCE, Geometry
from medseg.ingest.reasons import Reason
from medseg.ingest.rules import Rule
from medseg.ingest.slice import Slice

SPACING_TOLERANCE = 0.01
"""A gap between slices may deviate from the median gap by this part of it."""

POSITION_TOLERANCE = 0.1
"""A slice may lie off its place on the regular grid by this part of a voxel edge."""

SAME_POSITION_MM = 1e-3
"""Slices closer than this are at the same position."""


def sorted_along_normal(slices: Sequence[Slice]) -> list[Slice]:
    """Sort by the projection of the position on the normal; InstanceNumber plays no part."""
    order = np.argsort(depths_mm(slices), kind="stable")
    return [slices[k] for k in order]


def stack_geometry(slices: Sequence[Slice]) -> Geometry:
    """The grid of the volume whose axes are column index, row index, slice.

    The third column of the affine is the mean step between slices as positioned, not their normal
    times a spacing, so that no slice is moved.
    """
    first = slices[0]
    between_rows_mm, between_columns_mm = first.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * between_columns_mm
    affine[:3, 1] = first.orientation[3:] * between_rows_mm
    affine[:3, 2] = _slice_step(slices)
    affine[:3, 3] = first.position
    return Geometry.from_lps((first.columns, first.rows, len(slices)), affine)


def thickness_mm(header: Slice) -> float:
    """Extent of a slice that stands alone: its thickness, else its stated spacing, else 0."""
    usable = (t for t in (header.thickness_mm, header.spacing_between_mm) if t and t > 0)
    return next((t for t in usable if np.isfinite(t)), 0.0)


def normal(header: Slice) -> np.ndarray:
    """The unit vector along which slices are stacked, LPS+: row direction x column direction."""
    return np.cross(header.orientation[:3], header.orientation[3:])


def depths_mm(slices: Sequence[Slice]) -> np.ndarray:
    """Distance of each slice from the origin along the common normal."""
    return _positions(slices) @ normal(slices[0])


def _no_slice_spacing(slices: Sequence[Slice]) -> str:
    if len(slices) > 1 or thickness_mm(slices[0]) > 0:
        return ""
    return "one slice without SliceThickness or SpacingBetweenSlices"


def _duplicate_positions(slices: Sequence[Slice]) -> str:
    depths = depths_mm(slices)
    places = np.concatenate([[0], np.cumsum(np.diff(depths) > SAME_POSITION_MM)])
    place, count = Counter(places.tolist()).most_common(1)[0]
    if count == 1:
        return ""
    depth = depths[places == place][0]
    return f"{len(slices)} slices at {places[-1] + 1} positions, {count} at {depth:.6g} mm"


def _missing_slices(slices: Sequence[Slice]) -> str:
    """Gaps that are multiples of the smallest one."""
    finding = _uneven_spacing(slices)
    if not finding:
        return ""
    gaps = np.diff(depths_mm(slices))
    multiples = gaps / np.median(gaps[gaps <= gaps.min() * (1 + SPACING_TOLERANCE)])
    is_whole = np.abs(multiples - multiples.round()) <= SPACING_TOLERANCE * multiples.round()
    return finding if is_whole.all() else ""


def _uneven_spacing(slices: Sequence[Slice]) -> str:
    gaps = np.diff(depths_mm(slices))
    if len(gaps) == 0:
        return ""
    median = float(np.median(gaps))
    if np.abs(gaps - median).max() <= SPACING_TOLERANCE * median:
        return ""
    extent = f"from {gaps.min():.4g} to {gaps.max():.4g} mm"
    return f"slice spacing varies {extent} (tolerance {SPACING_TOLERANCE:.0%})"


def _tilted_stack(slices: Sequence[Slice]) -> str:
    if len(slices) == 1:
        return ""
    step, upright = _slice_step(slices), normal(slices[0])
    sideways_mm = float(np.linalg.norm(step - (step @ upright) * upright))
    sine = sideways_mm / float(np.linalg.norm(step))
    drift_mm = sideways_mm * (len(slices) - 1)
    allowed_mm = POSITION_TOLERANCE * slices[0].pixel_spacing_mm.min()
    if sine <= ORTHOGONALITY_TOLERANCE or drift_mm <= allowed_mm:
        return ""
    tilt, limit = np.degrees(np.arcsin([sine, ORTHOGONALITY_TOLERANCE]))
    return f"slices are stacked {tilt:.3g} degrees off their normal (tolerance {limit:.2g})"


def _off_grid(slices: Sequence[Slice]) -> str:
    if len(slices) == 1:
        return ""
    step, positions = _slice_step(slices), _positions(slices)
    places = positions[0] + np.arange(len(slices))[:, None] * step
    farthest = np.linalg.norm(positions - places, axis=1).max()
    if farthest <= POSITION_TOLERANCE * np.linalg.norm(step):
        return ""
    limit = f"tolerance {POSITION_TOLERANCE:.0%} of the slice spacing"
    return f"slices lie up to {farthest:.4g} mm off a regular grid ({limit})"


def _positions(slices: Sequence[Slice]) -> np.ndarray:
    return np.array([s.position for s in slices])


def _slice_step(slices: Sequence[Slice]) -> np.ndarray:
    """The mean step from slice to slice; one slice steps by its thickness along the normal."""
    if len(slices) == 1:
        return normal(slices[0]) * thickness_mm(slices[0])
    return (slices[-1].position - slices[0].position) / (len(slices) - 1)


STACK_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.NO_SLICE_SPACING, _no_slice_spacing),
    (Reason.DUPLICATE_POSITIONS, _duplicate_positions),
    (Reason.MISSING_SLICES, _missing_slices),
    (Reason.UNEVEN_SPACING, _uneven_spacing),
    (Reason.TILTED_STACK, _tilted_stack),
    (Reason.UNEVEN_SPACING, _off_grid),
)
