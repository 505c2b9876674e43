"""Resample: lay tilted, missing or unevenly spaced slices onto an upright regular grid.

The slices are parallel and sorted. Each plane is moved within itself by linear interpolation, which
undoes the shear of a tilted gantry, and planes between two slices are weighted means of the two. A
field that is linear in the patient's coordinates is kept exactly; anything else is smoothed where
it falls between samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medseg.geometry import Geometry
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.stack import find_normal, measure_depths_mm

MAX_GAP = 3.0
"""The widest gap that is interpolated, in median gaps: two missing slices in a row."""

MAX_GROWTH = 2.0
"""The grid may have this many times the voxels of the slices, which bounds tilt and memory."""

ROUNDING = 1e-3
"""A place this near to a sample, in parts of a voxel edge, counts as that sample (rounding)."""


@dataclass(frozen=True, eq=False)
class Resampling:
    """How sorted slices are laid onto a grid.

    Attributes:
        offsets: where the first pixel of the grid's planes lies in each slice, in pixels of it:
            (slices, 2), row before column.
        depths_mm: how far each slice is above the first along the normal: (slices,).
        step_mm: the distance of the planes of the grid.
        geometry: the grid; its first plane is at the depth of the first slice, its last at that of
            the last. In the plane it holds every slice as a whole.
        why: what kept the slices off a grid, in a few words that name no series and no file.
    """

    offsets: np.ndarray
    depths_mm: np.ndarray
    step_mm: float
    geometry: Geometry
    why: str = ""

    @property
    def outline(self) -> str:
        """What is done, in one line with its numbers."""
        columns, rows, planes = self.geometry.shape
        weights = [self.find_neighbours(m)[1] for m in range(planes)]
        between = sum(weight > 0 for weight in weights)
        return (
            f"resampled linearly from {len(self.depths_mm)} slices to {planes} of "
            f"{columns}x{rows}, {self.step_mm:.4g} mm apart, {between} of them between two slices"
        )

    def find_neighbours(self, plane: int) -> tuple[int, float]:
        """The slice at or below a plane of the grid, and the weight of the one above it."""
        depth_mm = min(plane * self.step_mm, self.depths_mm[-1])
        above = np.searchsorted(self.depths_mm, depth_mm + ROUNDING * self.step_mm, side="right")
        k = min(int(above) - 1, len(self.depths_mm) - 2)
        low_mm, high_mm = self.depths_mm[k : k + 2]
        weight = float((depth_mm - low_mm) / (high_mm - low_mm))
        return (k + 1, 0.0) if weight > 1 - ROUNDING else (k, weight if weight > ROUNDING else 0.0)


def plan_resampling(slices: Sequence[Slice]) -> Resampling:
    """Plan the upright regular grid of sorted slices at two or more depths."""
    first = slices[0]
    axes = np.array([first.orientation[3:], first.orientation[:3]])  # down a column, along a row
    moved_mm = np.array([s.position - first.position for s in slices]) @ axes.T
    moved = moved_mm / first.pixel_spacing_mm
    moved = np.where(np.abs(moved - moved.round()) < ROUNDING, moved.round(), moved)
    low, high = np.floor(moved.min(axis=0)), np.ceil(moved.max(axis=0))
    depths = measure_depths_mm(slices) - measure_depths_mm(slices)[0]
    planes = round(float(depths[-1]) / _find_usual_gap_mm(depths)) + 1
    step_mm = float(depths[-1]) / (planes - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack(
        [*(axes * first.pixel_spacing_mm[:, None])[::-1], find_normal(first) * step_mm], axis=1
    )
    affine[:3, 3] = first.position + (low * first.pixel_spacing_mm) @ axes
    rows, columns = (np.array([first.rows, first.columns]) + high - low).astype(int)
    geometry = Geometry.from_lps((int(columns), int(rows), planes), affine)
    return Resampling(low - moved, depths, step_mm, geometry)


def explain_irregular(slices: Sequence[Slice]) -> str:
    """Explain why slices are too irregular to be resampled, with numbers; empty if they are not."""
    gaps = np.diff(measure_depths_mm(slices))
    if gaps.max() > MAX_GAP * np.median(gaps):
        widest = gaps.max() / np.median(gaps)
        return f"a gap of {widest:.3g} median gaps is too wide to interpolate (limit {MAX_GAP:g})"
    planned = plan_resampling(slices)
    grown = np.prod(planned.geometry.shape, dtype=float) / (
        len(slices) * slices[0].rows * slices[0].columns
    )
    if grown > MAX_GROWTH:
        return f"an upright grid has {grown:.3g} times the voxels (limit {MAX_GROWTH:g})"
    return ""


def _find_usual_gap_mm(depths: np.ndarray) -> float:
    """Find the mean of the gaps near the median gap, which rounding may have changed."""
    gaps = np.diff(depths)
    median = np.median(gaps)
    return float(gaps[np.abs(gaps - median) < median / 2].mean())


def resample(volume: np.ndarray, plan: Resampling, *, fill: float) -> np.ndarray:
    """Interpolate the volume of the slices on the planned grid.

    Args:
        volume: (columns, rows, slices), in the order of the plan.
        plan: from `plan_resampling`.
        fill: value of voxels outside the slices.

    Returns:
        float32, of the shape of the planned grid.

    Example:
        >>> upright = resample(volume, plan, fill=-1024)  # doctest: +SKIP
    """
    columns, rows, planes = plan.geometry.shape
    out = np.empty((planes, rows, columns), dtype=np.float32)
    moved: dict[int, np.ndarray] = {}
    for m in range(planes):
        k, weight = plan.find_neighbours(m)
        needed = (k, k + 1) if weight else (k,)
        moved = {n: moved[n] if n in moved else _move_slice(volume, plan, n) for n in needed}
        out[m] = moved[k] if not weight else (1 - weight) * moved[k] + weight * moved[k + 1]
    out[np.isnan(out)] = fill
    return out.transpose(2, 1, 0)


def _move_slice(volume: np.ndarray, plan: Resampling, index: int) -> np.ndarray:
    """Move one slice onto the pixels of the grid's planes: (rows, columns), NaN outside it."""
    columns, rows, _ = plan.geometry.shape
    return ndimage.affine_transform(
        volume[..., index].T,
        matrix=np.ones(2),
        offset=plan.offsets[index],
        output_shape=(rows, columns),
        output=np.float32,
        order=1,
        cval=np.nan,
    )
