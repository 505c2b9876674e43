"""Variation: the random differences between one synthetic patient and the next."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.datasets._canvas import Array, Organ, Triple

_HU_SD = 5.0


@dataclass(frozen=True)
class Waves:
    """A smooth random field: the mean of plane waves of `vectors` (n, 3) in rad/mm."""

    vectors: NDArray[np.float64]
    phases: NDArray[np.float64]
    amplitude: float

    def __call__(self, x: Array, y: Array, z: Array) -> Array:
        """Give values within plus or minus `amplitude`."""
        total = np.zeros(x.shape, np.float32)
        for (kx, ky, kz), phase in zip(self.vectors.tolist(), self.phases.tolist(), strict=True):
            total += np.sin(kx * x + ky * y + (kz * z + phase))
        return total * np.float32(self.amplitude / len(self.phases))


def waves(
    rng: np.random.Generator, *, count: int, wavelength_mm: tuple[float, float], amplitude: float
) -> Waves:
    """Draw plane waves of random direction and phase, with wavelengths in the given range."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = rng.uniform(*wavelength_mm, (count, 1))
    return Waves(2 * np.pi * direction / wavelength, rng.uniform(0, 2 * np.pi, count), amplitude)


def vary(
    table: Mapping[str, tuple[Triple, Triple, float]],
    rng: np.random.Generator,
    *,
    shift_mm: float,
    stretch: float,
) -> tuple[Organ, ...]:
    """Draw a patient's organs from a table of averages: (centre_mm, radii_mm, CT number)."""
    return tuple(
        Organ(
            shift(centre, rng, shift_mm),
            tuple(np.multiply(radii, rng.uniform(1 - stretch, 1 + stretch, 3))),
            hu + rng.normal(0, _HU_SD),
        )
        for centre, radii, hu in table.values()
    )


def shift(point_mm: Triple, rng: np.random.Generator, shift_mm: float) -> Triple:
    """Move a point by at most `shift_mm` along each axis."""
    x, y, z = np.add(point_mm, rng.uniform(-shift_mm, shift_mm, 3))
    return x, y, z
