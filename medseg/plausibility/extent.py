"""Extent: whether voxels and sides of a CT have sizes that a scan of a patient can have."""

from medseg.geometry import Geometry

VOXEL_MM = (0.1, 30.0)
"""Edges of a voxel: inner ears are scanned at 0.1 to 0.2 mm, slices are up to 10 mm thick."""

THICK_MM = 12.0
"""Thicker slices are unusual, and spacing in the wrong unit, or ten times as much, is likely."""

FIELD_MM = 1000.0
"""Scanners show 500 mm across, extended fields 800 mm; one side of three may be longer."""

LONGEST_MM = 2500.0
"""Longer than a patient: the whole body is scanned in 2000 mm."""

SHORTEST_MM = 30.0
"""In so little, with `MANY_VOXELS` along it, there is no scan of a patient: the smallest fields, of
teeth, are 40 mm wide."""

MANY_VOXELS = 100
"""Fewer voxels along the longest side may be a crop."""


def explain_impossible_extent(grid: Geometry) -> str | None:
    """Say why a CT on a grid cannot be of a patient; None where it can be.

    Example:
        >>> import numpy as np
        >>> micrometres = np.diag([0.0008, 0.0008, 0.002, 1.0])
        >>> explain_impossible_extent(Geometry((512, 512, 9), micrometres))
        'its voxels have an edge of 0.0008 mm, less than 0.1 mm'
    """
    edges = [float(edge) for edge in grid.spacing_mm]
    sides = sorted(n * edge for n, edge in zip(grid.shape, edges, strict=True))
    if min(edges) < VOXEL_MM[0]:
        return f"its voxels have an edge of {min(edges):.3g} mm, less than {VOXEL_MM[0]:g} mm"
    if max(edges) > VOXEL_MM[1]:
        return f"its voxels have an edge of {max(edges):.3g} mm, more than {VOXEL_MM[1]:g} mm"
    if sides[1] > FIELD_MM:
        return f"it is {sides[1]:.0f} mm across, more than the {FIELD_MM:.0f} mm of any scanner"
    if sides[2] > LONGEST_MM:
        return f"it is {sides[2]:.0f} mm long, more than {LONGEST_MM:.0f} mm"
    if sides[2] < SHORTEST_MM and max(grid.shape) >= MANY_VOXELS:
        return (
            f"its longest side of {max(grid.shape)} voxels is {sides[2]:.3g} mm, less than "
            f"{SHORTEST_MM:.0f} mm"
        )
    return None


def describe_extent_doubts(grid: Geometry) -> str | None:
    """Say what is unlikely in the size of a CT; None where nothing is."""
    edge = float(max(grid.spacing_mm))
    if edge <= THICK_MM:
        return None
    return f"its slices are {edge:.3g} mm apart, and up to {THICK_MM:g} mm are usual"
