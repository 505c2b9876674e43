"""Canvas: CT numbers and labels at given points, painted over shape by shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Triple = tuple[float, float, float]

AIR_HU = -1000.0


@dataclass(frozen=True)
class Organ:
    """An ellipsoid of one CT number; an infinite radius makes it a tube."""

    centre_mm: Triple
    radii_mm: Triple
    hu: float

    def measure_level(self, x: Array, y: Array, z: Array) -> Array:
        """Give 1 at the centre, 0 on the surface, negative values outside."""
        (cx, cy, cz), (rx, ry, rz) = self.centre_mm, self.radii_mm
        return 1 - np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)


class Canvas:
    """CT numbers `hu` and labels `label` at the points `x`, `y`, `z` (mm), arrays of one shape.

    Shapes far smaller than the canvas are evaluated in the box of array indices that they can
    reach, which is what makes a hundred of them affordable.
    """

    def __init__(self, x: Array, y: Array, z: Array) -> None:
        self.x, self.y, self.z = x, y, z
        self.hu = np.full(x.shape, AIR_HU, np.float32)
        self.label = np.zeros(x.shape, np.uint8)
        self._reach = [_reach(coordinate) for coordinate in (x, y, z)]

    def fill(self, where: Mask, hu: float, *, label: int = 0, box: tuple[slice, ...] = ()) -> None:
        """Paint one CT number and label where the mask, of the shape of `find_box`, is true."""
        self.hu[box][where] = hu
        self.label[box][where] = label

    def paint_organ(self, organ: Organ, *, only: Mask | None = None) -> None:
        """Paint an organ, or what of it lies in the mask `only`."""
        box = self.find_box(
            np.subtract(organ.centre_mm, organ.radii_mm), np.add(organ.centre_mm, organ.radii_mm)
        )
        inside = organ.measure_level(self.x[box], self.y[box], self.z[box]) > 0
        self.fill(inside if only is None else inside & only[box], organ.hu, box=box)

    def find_box(
        self, low_mm: NDArray[np.float64], high_mm: NDArray[np.float64]
    ) -> tuple[slice, ...]:
        """Give the smallest box of indices that holds every point between two corners."""
        slices = []
        for axis in range(self.x.ndim):
            meets = np.ones(self.x.shape[axis], bool)
            for reach, low, high in zip(self._reach, low_mm, high_mm, strict=True):
                least, most = reach[axis]
                meets &= (least <= high) & (most >= low)
            found = np.flatnonzero(meets)
            slices.append(slice(found[0], found[-1] + 1) if found.size else slice(0, 0))
        return tuple(slices)


def _reach(coordinate: Array) -> list[tuple[Array, Array]]:
    """Give the least and the greatest coordinate at each index of each axis."""
    axes = range(coordinate.ndim)
    others = [tuple(a for a in axes if a != axis) for axis in axes]
    return [(coordinate.min(axis=rest), coordinate.max(axis=rest)) for rest in others]


def draw_smooth_noise(
    rng: np.random.Generator, size: int, *, scale_pixels: float
) -> NDArray[np.float64]:
    """Draw noise (size, size) that varies over `scale_pixels`, of mean 0 and standard deviation 1.

    Opposite edges fit together.
    """
    noise = gaussian_filter(rng.standard_normal((size, size)), scale_pixels, mode="wrap")
    return (noise - noise.mean()) / noise.std()


@dataclass(frozen=True)
class Grid:
    """The in-plane matrix, the number of slices and their distance; pictures use `size` alone."""

    size: int
    slices: int
    thickness_mm: float
