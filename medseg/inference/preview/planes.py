"""Planes: a volume as it lies in the patient, and which of its planes are worth a look."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from medseg.geometry import Geometry

OBLIQUE_DEGREES = 1.0
"""From this angle to the nearest axis of the patient on, a grid or plane is called oblique."""

TWO_LETTERS_DEGREES = 10.0
"""From this angle on, a side has the letters of two directions, the nearer one first."""

_THICK = 1.5  # slices are farther apart than the pixels in them
_NAMES = ("sagittal", "coronal", "axial")
_LETTERS = ("LR", "PA", "IS")
_SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))


@dataclass(frozen=True)
class Upright:
    """A volume and its label map with axes as near as can be to right, anterior, superior.

    Voxels are as in the file: axes are put in another order and turned round, which copies nothing.

    Attributes:
        image: (I, J, K), any numbers.
        label: (I, J, K), class indices; 0 is background.
        grid: where they lie.
        turned: for each axis, whether the file has it the other way round.
    """

    image: np.ndarray
    label: np.ndarray
    grid: Geometry
    turned: tuple[bool, bool, bool]

    @classmethod
    def turn(cls, image: np.ndarray, label: np.ndarray, grid: Geometry) -> Upright:
        """From a volume and its label map, both on the grid of the file."""
        orientation = nib.orientations.io_orientation(grid.affine)
        turn = nib.orientations.inv_ornt_aff(orientation, grid.shape)
        upright = nib.orientations.apply_orientation(image, orientation)
        found = nib.orientations.apply_orientation(label, orientation)
        i, j, k = found.shape
        places = orientation[:, 0].astype(int).tolist()
        x, y, z = (bool(orientation[places.index(axis), 1] < 0) for axis in range(3))
        return cls(upright, found, Geometry((i, j, k), grid.affine @ turn), (x, y, z))


@dataclass(frozen=True)
class Plane:
    """A plane of voxels, as it is seen from the patient's feet, front or left.

    Args:
        volume: that it is a plane of.
        axis: of the volume, that it lies across.
        index: along this axis.
    """

    volume: Upright
    axis: int
    index: int

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        grid = self.volume.grid
        width, height = (grid.shape[a] * grid.spacing_mm[a] for a in self._across)
        return width, height

    @property
    def image(self) -> np.ndarray:
        """(rows, columns), the first row at the front or the head, the first column at the right
        of the patient or the front."""
        return self._cut(self.volume.image)

    @property
    def label(self) -> np.ndarray:
        """The class indices, (rows, columns)."""
        return self._cut(self.volume.label)

    @property
    def sides(self) -> tuple[str, str, str, str]:
        """Letters of the left, right, upper and lower side: R, L, A, P, S, I, or two of them."""
        across, up = (self.volume.grid.direction[:, axis] for axis in self._across)
        return (
            name_direction(across),
            name_direction(-across),
            name_direction(up),
            name_direction(-up),
        )

    @property
    def name(self) -> str:
        """Axial, coronal or sagittal, oblique where it is."""
        return f"{'oblique ' * (self.tilt_degrees >= OBLIQUE_DEGREES)}{_NAMES[self.axis]}"

    @property
    def tilt_degrees(self) -> float:
        """The angle between the plane and the nearest axial, coronal or sagittal one."""
        return _measure_angle_to_nearest_axis(self._normal)

    @property
    def number(self) -> tuple[int, int]:
        """The number of the slice in the file, counted from 1, and how many there are."""
        count = self.volume.grid.shape[self.axis]
        return (count - self.index if self.volume.turned[self.axis] else self.index + 1), count

    @property
    def position(self) -> str:
        """Where its middle lies, for instance "12.5 mm superior of the file's origin"."""
        middle = [(n - 1) / 2 for n in self.volume.grid.shape]
        middle[self.axis] = self.index
        place = float(self.volume.grid.voxel_to_world(middle)[self.axis])
        return f"{abs(place):.1f} mm {_SIDES[self.axis][int(place >= 0)]} of the file's origin"

    @property
    def positions(self) -> np.ndarray:
        """Where its pixels lie in the world, (rows, columns, 3), RAS+ in millimetres."""
        counts = list(self.volume.grid.shape)
        counts[self.axis] = 1
        voxels = np.moveaxis(np.indices(counts, dtype=float), 0, -1)
        voxels[..., self.axis] = self.index
        world = self.volume.grid.voxel_to_world(voxels).take(0, axis=self.axis)
        return world[::-1, ::-1].transpose(1, 0, 2)

    def _cut(self, array: np.ndarray) -> np.ndarray:
        cut: np.ndarray = np.moveaxis(array, self.axis, 0)[self.index]  # `np.take` copies it all
        return cut[::-1, ::-1].T

    @property
    def _across(self) -> tuple[int, int]:
        first, second = (axis for axis in range(3) if axis != self.axis)
        return first, second

    @property
    def _normal(self) -> np.ndarray:
        first, second = (self.volume.grid.direction[:, axis] for axis in self._across)
        normal = np.cross(first, second)
        return normal / np.linalg.norm(normal)


def name_direction(direction: np.ndarray) -> str:
    """The letter of the patient's side that a direction points to, with a second one if oblique.

    Args:
        direction: RAS+, of length 1.

    Example:
        >>> name_direction(np.array([1.0, 0.0, 0.0])), name_direction(np.array([0.0, -0.8, 0.6]))
        ('R', 'PS')
    """
    order = np.argsort(-np.abs(direction), kind="stable")
    least = np.sin(np.radians(TWO_LETTERS_DEGREES))
    shown = [a for n, a in enumerate(order) if n == 0 or abs(direction[a]) >= least][:2]
    return "".join(_LETTERS[a][int(direction[a] > 0)] for a in shown)


def measure_tilt(grid: Geometry) -> float:
    """The largest angle in degrees between an axis of a grid and the nearest one of the patient."""
    return max(_measure_angle_to_nearest_axis(grid.direction[:, axis]) for axis in range(3))


def choose_main_planes(volume: Upright, *, is_thin: bool) -> list[Plane]:
    """The axial, coronal and sagittal plane, or up to three of a thin stack.

    Each of the three is the one with the largest segmented area; without any segmented voxel, the
    middle one. Those of a stack are spread over the segmented ones.

    Args:
        volume: to choose from.
        is_thin: two of the three planes would be strips that show nothing.
    """
    if is_thin:
        grid = volume.grid
        thinnest = int(np.argmin(np.multiply(grid.shape, grid.spacing_mm)))
        return choose_stack(volume, thinnest, most=3)
    return [Plane(volume, axis, _find_largest(_count_areas(volume, axis))) for axis in (2, 1, 0)]


def choose_stack(volume: Upright, axis: int, *, most: int) -> list[Plane]:
    """Up to so many planes across an axis, the middles of as many equal parts of the segmented
    ones; without any segmented voxel, of all. From the left, the back or the feet on."""
    areas = _count_areas(volume, axis)
    found = np.flatnonzero(areas) if areas.any() else np.arange(len(areas))
    first, count = int(found[0]), int(found[-1] - found[0] + 1)
    shown = min(most, count)
    places = (first + (2 * n + 1) * count // (2 * shown) for n in range(shown))
    return [Plane(volume, axis, place) for place in places]


def choose_fullest(volume: Upright, axis: int) -> Plane:
    """The plane across an axis that holds the most labels, and the largest parts of each.

    Without any label it is the one in the middle.
    """
    planes = np.moveaxis(volume.label, axis, 0)
    counts = np.array([np.bincount(plane.ravel(), minlength=256)[1:] for plane in planes])
    shares = counts / np.maximum(counts.max(axis=0), 1)
    fullness = np.count_nonzero(counts, axis=1) + shares.sum(axis=1) / shares.shape[1]
    return Plane(volume, axis, _find_largest(fullness))


def find_segmented(label: np.ndarray, axis: int) -> tuple[slice, slice] | None:
    """The rows and columns, as `Plane.label` has them, that hold all that is segmented."""
    return find_extent(np.any(label, axis=axis)[::-1, ::-1].T)


def find_extent(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The rows and columns that hold all of a mask; None of an empty one."""
    rows, columns = (np.flatnonzero(np.any(mask, axis=other)) for other in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def find_slice_axis(grid: Geometry) -> int:
    """The axis along which slices were taken: that of thick slices, else from the feet up."""
    longest = int(np.argmax(grid.spacing_mm))
    is_thick = grid.spacing_mm[longest] > _THICK * float(np.median(grid.spacing_mm))
    return longest if is_thick else 2


def _count_areas(volume: Upright, axis: int) -> np.ndarray:
    """Segmented voxels of each plane across an axis."""
    return np.count_nonzero(volume.label, axis=tuple(a for a in range(3) if a != axis))


def _find_largest(areas: np.ndarray) -> int:
    return int(areas.argmax()) if areas.any() else len(areas) // 2


def _measure_angle_to_nearest_axis(direction: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(np.abs(direction).max(), 0, 1))))
