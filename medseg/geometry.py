"""Geometry: where the voxels of an array lie in the patient.

World coordinates are RAS+ millimetres (right, anterior, superior), as in NIfTI. DICOM's LPS (left,
posterior, superior; PS3.3 C.7.6.2.1.1) enters and leaves through `Geometry.from_lps` and
`Geometry.affine_lps` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike

GRID_TOLERANCE_VOXELS = 0.05
"""Two grids are the same when no corner moves by more than this part of the smallest voxel edge.

A twentieth of a voxel is above the rounding of headers (single precision, six decimals) and far
below what could move a mask.
"""

ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest |cosine| between two array axes that still counts as a right angle (0.06 degrees)."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Left-posterior-superior to right-anterior-superior; its own inverse."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of a volume: its shape and the map from voxel indices to the patient.

    Args:
        shape: number of voxels along (I, J, K), each at least 1.
        affine: (4, 4), homogeneous; maps the index of a voxel's centre to RAS+ millimetres. Kept as
            read-only float64.

    Raises:
        ValueError: the shape is not three positive integers, or the affine is not a finite
            invertible (4, 4) matrix whose last row is (0, 0, 0, 1).

    Example:
        >>> geometry = Geometry((512, 512, 129), np.diag([0.7, 0.7, 1.6, 1.0]))
        >>> geometry.orientation
        'RAS'
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if len(self.shape) != 3 or any(int(n) != n or n < 1 for n in self.shape):
            raise ValueError(
                f"shape must be three positive integers, got {tuple(self.shape)}: give the number "
                "of voxels along each axis, 1 for the third axis of a single slice"
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(
                f"affine must be a finite (4, 4) matrix, got {affine.tolist()}: give the matrix "
                "from voxels to RAS+ millimetres"
            )
        if not np.allclose(affine[3], (0, 0, 0, 1)):
            raise ValueError(
                f"affine must end in the row (0, 0, 0, 1), got {affine[3].tolist()}: transpose it "
                "if the origin stands in that row"
            )
        if _is_singular(affine[:3, :3]):
            raise ValueError(
                f"affine must be invertible, got {affine.tolist()}: give three axes of which none "
                "has length 0 and no two are parallel"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_lps(cls, shape: Sequence[int], affine_lps: ArrayLike) -> Geometry:
        """Build from an affine whose world is LPS+ millimetres, as DICOM has it."""
        i, j, k = shape
        return cls((i, j, k), LPS_TO_RAS @ np.asarray(affine_lps, dtype=np.float64))

    @property
    def affine_lps(self) -> np.ndarray:
        """The affine with LPS+ millimetres as its world, for writing DICOM: (4, 4)."""
        return LPS_TO_RAS @ self.affine

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along each array axis."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def direction(self) -> np.ndarray:
        """Unit vectors of the array axes in RAS+, as columns: (3, 3)."""
        return self.affine[:3, :3] / self.spacing_mm

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Centre of voxel (0, 0, 0) in RAS+ millimetres."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def orientation(self) -> str:
        """Where each array axis points, to the nearest patient axis: "RAS", "LPS", "ASR", ..."""
        direction = self.direction
        rows = max(permutations(range(3)), key=lambda p: sum(abs(direction[p, range(3)])))
        return "".join("LPI"[r] if direction[r, c] < 0 else "RAS"[r] for c, r in enumerate(rows))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def is_orthogonal(self) -> bool:
        """Whether the array axes meet at right angles (`ORTHOGONALITY_TOLERANCE`): no shear."""
        cosines = self.direction.T @ self.direction - np.eye(3)
        return bool(np.abs(cosines).max() <= ORTHOGONALITY_TOLERANCE)

    def voxel_to_world(self, voxels: ArrayLike) -> np.ndarray:
        """Map voxel indices (..., 3), fractions allowed, to RAS+ millimetres (..., 3)."""
        return np.asarray(voxels, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def world_to_voxel(self, points_mm: ArrayLike) -> np.ndarray:
        """Map RAS+ millimetres (..., 3) to fractional voxel indices (..., 3)."""
        offsets = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return offsets @ np.linalg.inv(self.affine[:3, :3]).T

    def same_grid(self, other: Geometry, *, tolerance: float = GRID_TOLERANCE_VOXELS) -> bool:
        """Tell whether voxel (i, j, k) is the same place in both; see `describe_difference`."""
        return not self.describe_difference(other, tolerance=tolerance)

    def describe_difference(
        self, other: Geometry, *, tolerance: float = GRID_TOLERANCE_VOXELS
    ) -> str:
        """Say in one line how two grids differ; empty when they are the same.

        Both maps are affine, so they disagree most at one of the eight corners of the grid.

        Args:
            other: the grid to compare with.
            tolerance: largest allowed move of a corner, in parts of the smallest voxel edge.

        Example:
            >>> Geometry((2, 2, 2), np.eye(4)).describe_difference(Geometry((2, 2, 3), np.eye(4)))
            'shape (2, 2, 2) against (2, 2, 3)'
        """
        if self.shape != other.shape:
            return f"shape {self.shape} against {other.shape}"
        moved_mm = _measure_largest_corner_move_mm(self, other)
        allowed_mm = tolerance * min(self.spacing_mm)
        if moved_mm <= allowed_mm:
            return ""
        extent = f"up to {moved_mm:.4g} mm apart (tolerance {allowed_mm:.3g} mm)"
        return f"{_describe_first_difference(self, other)}: voxels lie {extent}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, (self.affine + 0.0).tobytes()))


def _is_singular(matrix: np.ndarray) -> bool:
    lengths = np.linalg.norm(matrix, axis=0)
    return bool((lengths == 0).any() or abs(np.linalg.det(matrix / lengths)) < 1e-6)


def _measure_largest_corner_move_mm(a: Geometry, b: Geometry) -> float:
    corners = np.array(list(product(*((0, n - 1) for n in a.shape))))
    return float(
        np.linalg.norm(a.voxel_to_world(corners) - b.voxel_to_world(corners), axis=1).max()
    )


def _describe_first_difference(a: Geometry, b: Geometry) -> str:
    """Name the property that differs, the most telling first."""
    if a.orientation != b.orientation:
        return f"orientation {a.orientation} against {b.orientation}"
    if not np.allclose(a.spacing_mm, b.spacing_mm, rtol=1e-4):
        return f"spacing {_format_numbers(a.spacing_mm)} against {_format_numbers(b.spacing_mm)} mm"
    if not np.allclose(a.direction, b.direction, atol=1e-4):
        return "axes turned against each other"
    return f"origin {_format_numbers(a.origin_mm)} against {_format_numbers(b.origin_mm)} mm"


def _format_numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"
