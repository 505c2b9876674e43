"""Grid: the size of a phantom's pictures or volumes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """The in-plane matrix, the number of slices and their distance; pictures use `size` alone."""

    size: int
    slices: int
    thickness_mm: float
