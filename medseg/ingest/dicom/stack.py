"""Stack: slices sorted along their normal, checked for regularity, and the grid they make.

Works in the DICOM patient system, LPS+ millimetres (PS3.3 C.7.6.2.1.1), which only `find_geometry`
leaves. The slices have passed the slice rules, so they are parallel and complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medseg.base.text import count_noun
from medseg.geometry import ORTHOGONALITY_TOLERANCE, Geometry
from medseg.ingest.dicom.consistency.consistency import (
    describe_differences,
    describe_mixed_acquisition,
)
from medseg.ingest.dicom.consistency.kinds import describe_decimal_commas
from medseg.ingest.dicom.consistency.slice_differences import name_differences
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.rules.geometry_rules import LONGEST_MM, SHORTEST_MM
from medseg.ingest.dicom.rules.slice_rules import Rule
from medseg.ingest.reasons import Reason

ROUNDING_MM = 0.05
"""A coordinate of a slice may differ from its place on the regular grid by this much.

Half a unit of the first decimal, which is what is left of positions that were written with one: a
spacing of 1.25 mm then reads 1.2, 1.3, 1.2, ...
"""

SPACING_TOLERANCE = 0.01
"""Beyond `ROUNDING_MM`, a coordinate may differ by this part of the slice spacing."""

POSITION_TOLERANCE = 0.1
"""No slice may differ from its place by more than this part of a voxel edge, however thin it is."""

SAME_POSITION_MM = 1e-3
"""Slices closer than this are at the same position."""

FEW_WIDE_GAPS = 1 / 3
"""If more than this part of the gaps are wider than one step, rounding does not explain them."""

_BINARY_FRACTION_MM = 1e-6  # what differences of decimal fractions are off in binary


def sort_along_normal(slices: Sequence[Slice]) -> list[Slice]:
    """Sort by the projection of the position on the normal; InstanceNumber plays no part."""
    order = np.argsort(measure_depths_mm(slices), kind="stable")
    return [slices[k] for k in order]


def find_geometry(slices: Sequence[Slice]) -> Geometry:
    """Find the grid of the volume whose axes are column index, row index, slice.

    The third column of the affine is the step between slices as positioned, not their normal times
    a spacing, so that no slice is moved by more than the tolerance of `fit_regular_grid`.
    """
    first = slices[0]
    between_rows_mm, between_columns_mm = first.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * between_columns_mm
    affine[:3, 1] = first.orientation[3:] * between_rows_mm
    affine[:3, 3], affine[:3, 2] = fit_regular_grid(slices)
    return Geometry.from_lps((first.columns, first.rows, len(slices)), affine)


def fit_regular_grid(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Fit the place of the first slice and the step from slice to slice, LPS+ mm, (3,) each.

    The first slice and the mean step, where that brings every slice within the tolerance of its
    position. Else each coordinate has the line from which the farthest slice is nearest: since it
    is rounded for itself, that is never more than the rounding. One slice steps by its thickness.

    Args:
        slices: sorted along their normal.
    """
    positions, last = _collect_positions(slices), len(slices) - 1
    if last == 0:
        return positions[0], find_normal(slices[0]) * find_thickness_mm(slices[0])
    origin, step = positions[0], (positions[-1] - positions[0]) / last
    if _measure_farthest_mm(positions, origin, step) <= _find_allowed_mm(step):
        return origin, step
    k = np.arange(len(slices))
    offsets, slopes = np.array([_fit_line(coordinate, k) for coordinate in positions.T]).T
    return offsets, slopes


def find_thickness_mm(header: Slice) -> float:
    """Find the extent of a single slice: its thickness, else its stated spacing, else 0."""
    stated = (header.thickness_mm, header.spacing_between_mm)
    return next((t for t in stated if t and SHORTEST_MM <= t <= LONGEST_MM), 0.0)


def find_normal(header: Slice) -> np.ndarray:
    """Find the unit vector along which slices are stacked, LPS+: row x column direction."""
    return np.cross(header.orientation[:3], header.orientation[3:])


def measure_depths_mm(slices: Sequence[Slice]) -> np.ndarray:
    """Measure the distance of each slice from the origin along the common normal."""
    return _collect_positions(slices) @ find_normal(slices[0])


def _describe_no_slice_spacing(slices: Sequence[Slice]) -> str:
    if len(slices) > 1 or find_thickness_mm(slices[0]) > 0:
        return ""
    return "one slice without SliceThickness or SpacingBetweenSlices"


def _describe_duplicate_positions(slices: Sequence[Slice]) -> str:
    depths = measure_depths_mm(slices)
    places = np.concatenate([[0], np.cumsum(np.diff(depths) > SAME_POSITION_MM)])
    place, count = Counter(places.tolist()).most_common(1)[0]
    if count == 1:
        return ""
    depth = depths[places == place][0]
    positions = count_noun(int(places[-1]) + 1, "position")
    found = f"{len(slices)} slices at {positions}, {count} at {depth:.6g} mm"
    there = [s for s, p in zip(slices, places.tolist(), strict=True) if p == place]
    if told_apart := describe_differences(there):
        return f"{found} with {told_apart}"
    named = ", ".join(name_differences(there))
    return f"{found} that differ in {named}" if named else found


def _describe_missing_slices(slices: Sequence[Slice]) -> str:
    """Find gaps in slices that lie on a regular grid, as exactly as a complete stack must.

    Two kinds of gaps in about equal number, say 0.75 and 1.75 mm, are one and two steps of some
    grid if each may be rounded; so they must fit without that to be called so.
    """
    finding = _describe_uneven_spacing(slices)
    if not finding:
        return ""
    depths = measure_depths_mm(slices)
    steps = _count_steps(np.diff(depths))
    wide = float(np.mean(steps > 1))
    places = np.concatenate([[0], np.cumsum(steps)])
    origin, step = _fit_line(depths, places)
    farthest = float(np.abs(origin + places * step - depths).max())
    rounding_mm = _find_allowed_mm(np.array([step])) if wide <= FEW_WIDE_GAPS else 0.0
    allowed_mm = max(rounding_mm, SPACING_TOLERANCE * step)
    return finding if wide > 0 and farthest <= allowed_mm else ""


def _count_steps(gaps_mm: np.ndarray) -> np.ndarray:
    """Count the steps of one grid in each gap: (n,) whole numbers of at least 1.

    Gaps are taken from the smallest up. The step is fitted by least squares to those before, so
    that what rounding did to single gaps is gone when a wide one is divided by it.
    """
    steps = np.ones(len(gaps_mm), dtype=int)
    along, squared = 0.0, 0
    for k in np.argsort(gaps_mm, kind="stable"):
        if squared:
            steps[k] = max(1, round(float(gaps_mm[k]) * squared / along))
        along += float(gaps_mm[k]) * int(steps[k])
        squared += int(steps[k]) ** 2
    return steps


def _describe_uneven_spacing(slices: Sequence[Slice]) -> str:
    if len(slices) == 1:
        return ""
    depths, upright = measure_depths_mm(slices), find_normal(slices[0])
    origin, step = fit_regular_grid(slices)
    farthest = _measure_farthest_mm(depths[:, None], origin @ upright, step @ upright)
    if farthest <= _find_allowed_mm(step):
        return ""
    gaps = np.diff(depths)
    extent = f"from {gaps.min():.4g} to {gaps.max():.4g} mm"
    return f"slice spacing varies {extent}, {_describe_off_grid(farthest, step)}"


def _describe_tilted_stack(slices: Sequence[Slice]) -> str:
    if len(slices) == 1:
        return ""
    (_, step), upright = fit_regular_grid(slices), find_normal(slices[0])
    sideways_mm = float(np.linalg.norm(step - (step @ upright) * upright))
    sine = sideways_mm / float(np.linalg.norm(step))
    drift_mm = sideways_mm * (len(slices) - 1)
    allowed_mm = POSITION_TOLERANCE * slices[0].pixel_spacing_mm.min()
    if sine <= ORTHOGONALITY_TOLERANCE or drift_mm <= allowed_mm:
        return ""
    tilt, limit = np.degrees(np.arcsin([sine, ORTHOGONALITY_TOLERANCE]))
    return f"slices are stacked {tilt:.3g} degrees off their normal (tolerance {limit:.2g})"


def _describe_off_grid_slices(slices: Sequence[Slice]) -> str:
    if len(slices) == 1:
        return ""
    origin, step = fit_regular_grid(slices)
    farthest = _measure_farthest_mm(_collect_positions(slices), origin, step)
    if farthest <= _find_allowed_mm(step):
        return ""
    return _describe_off_grid(farthest, step)


def _describe_off_grid(farthest_mm: float, step: np.ndarray) -> str:
    tolerance = f"tolerance {_find_allowed_mm(step):.3g} mm"
    return f"slices lie up to {farthest_mm:.3g} mm off a regular grid ({tolerance})"


def _collect_positions(slices: Sequence[Slice]) -> np.ndarray:
    return np.array([s.position for s in slices])


def _measure_farthest_mm(positions: np.ndarray, origin: np.ndarray, step: np.ndarray) -> float:
    """Measure how far the worst coordinate of positions (slices, n) is from its place on a grid."""
    places = origin + np.arange(len(positions))[:, None] * step
    return float(np.abs(positions - places).max())


def _find_allowed_mm(step: np.ndarray) -> float:
    spacing = float(np.linalg.norm(step))
    most = min(max(ROUNDING_MM, SPACING_TOLERANCE * spacing), POSITION_TOLERANCE * spacing)
    return most + _BINARY_FRACTION_MM


def _fit_line(values: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    """Fit a line, its value at place 0 and its slope, with the smallest largest distance to values.

    Chebyshev's fit: one of its two parallels runs along an edge of the convex hull.

    Args:
        values: (n,), one at each place.
        places: (n,), ascending.
    """
    slopes = {*_find_hull_slopes(values, places), *_find_hull_slopes(-values, places, sign=-1)}
    slope = min(slopes, key=lambda s: float(np.ptp(values - s * places)))
    apart = values - slope * places
    return float(apart.min() + apart.max()) / 2, slope


def _find_hull_slopes(values: np.ndarray, places: np.ndarray, *, sign: int = 1) -> list[float]:
    """Slopes of the edges below the points (places, values): Andrew's monotone chain."""
    ends: list[tuple[int, float]] = []
    slopes: list[float] = []
    for k, value in zip(places.tolist(), values.tolist(), strict=True):
        while ends and slopes and (value - ends[-1][1]) / (k - ends[-1][0]) <= slopes[-1]:
            ends.pop()
            slopes.pop()
        if ends:
            slopes.append((value - ends[-1][1]) / (k - ends[-1][0]))
        ends.append((k, value))
    return [sign * slope for slope in slopes]


STACK_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.NO_SLICE_SPACING, _describe_no_slice_spacing),
    (Reason.DUPLICATE_POSITIONS, _describe_duplicate_positions),
    (Reason.UNREADABLE, describe_decimal_commas),
    (Reason.MIXED_ACQUISITION, describe_mixed_acquisition),
    (Reason.MISSING_SLICES, _describe_missing_slices),
    (Reason.UNEVEN_SPACING, _describe_uneven_spacing),
    (Reason.TILTED_STACK, _describe_tilted_stack),
    (Reason.UNEVEN_SPACING, _describe_off_grid_slices),
)
