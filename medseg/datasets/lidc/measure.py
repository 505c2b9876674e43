"""LIDC measure: the size of a nodule, the agreement of its readers and what they thought of it."""

import math
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from medseg.datasets.lidc.annotations_xml import SCALES, Kind
from medseg.datasets.lidc.consensus import compute_pairwise_dice
from medseg.datasets.lidc.marks import Voxels
from medseg.datasets.lidc.nodules import Group
from medseg.geometry import Geometry

Row = dict[str, str | int | float | bool]

_SIZES = ("volume_mm3", "diameter_mm", "longest_mm", "slices", "slices_interpolated")
_READERS = ("readers", "readers_small", "agreement", "ambiguous")
COLUMNS = (
    *("case", "patient", "series_uid", "nodule", "kind", "x_mm", "y_mm", "z_mm"),
    *_SIZES,
    *_READERS,
    *(f"{name}_{what}" for name in SCALES for what in ("mean", "median", "readers")),
    "patch",
)
"""Columns of `nodules.csv`; a missing value is empty."""


def measure(
    group: Group,
    voxels: Voxels,
    geometry: Geometry,
    *,
    interpolated_slices: NDArray[np.int64] | None = None,
) -> Row:
    """Describe one nodule or non-nodule.

    Args:
        group: its marks.
        voxels: its consensus; empty for a single point and where the readers do not meet.
        geometry: the grid of the CT.
        interpolated_slices: those of the CT that lie between two scanned ones; None where it was
            not resampled.

    Returns:
        x_mm, y_mm, z_mm: RAS+ centre of the consensus, or of all marks where there is none.
        volume_mm3, diameter_mm: of the consensus, and of the sphere of that volume.
        longest_mm: see `measure_longest_in_plane_mm`.
        slices: number of slices that the consensus is in.
        slices_interpolated: how many of those are `interpolated_slices`; absent where that is None.
        readers, readers_small: who outlined it, and who marked it by a point.
        agreement: mean Dice over the pairs of outlines; absent for a single one.
        ambiguous: see `medseg.datasets.lidc.nodules`.
        <characteristic>_mean, _median, _readers: ratings, the last in the order of the readers who
            outlined it, "-" where one did not rate; absent where nobody did.
    """
    spots = voxels if voxels.size else np.concatenate([r.voxels for r in group.regions])
    x, y, z = find_centre_mm(spots, geometry)
    row: Row = {"kind": group.kind.value, "x_mm": round(x, 2), "y_mm": round(y, 2)}
    row |= {
        "z_mm": round(z, 2),
        "readers": len(group.outlined_regions),
        "ambiguous": group.ambiguous,
    }
    row["readers_small"] = sum(r.mark.kind is Kind.SMALL for r in group.regions)
    if voxels.size:
        row |= _measure_size(voxels, geometry)
        if interpolated_slices is not None:
            slices = np.unravel_index(voxels, geometry.shape)[2]
            row["slices_interpolated"] = len(np.intersect1d(slices, interpolated_slices))
    if (agreement := compute_pairwise_dice([r.voxels for r in group.outlined_regions])) is not None:
        row["agreement"] = round(agreement, 4)
    return row | _summarize_ratings(group)


def find_centre_mm(voxels: Voxels, geometry: Geometry) -> tuple[float, float, float]:
    """Centre of mass of the voxels, RAS+."""
    places = np.stack(np.unravel_index(voxels, geometry.shape), axis=1)
    x, y, z = geometry.voxel_to_world(places.mean(axis=0))
    return float(x), float(y), float(z)


def measure_longest_in_plane_mm(voxels: Voxels, geometry: Geometry) -> float:
    """Longest distance within one slice, between outer corners of pixels; 0 for no voxels.

    A single pixel of 1 mm has its diagonal, 1.41 mm; a row of n pixels the root of n^2 + 1.
    """
    places = np.stack(np.unravel_index(voxels, geometry.shape), axis=1)
    spacing_mm = np.array(geometry.spacing_mm[:2])
    longest = 0.0
    for k in np.unique(places[:, 2]):
        pixels = places[places[:, 2] == k, :2]
        corners = np.concatenate([pixels + step for step in ((0, 0), (0, 1), (1, 0), (1, 1))])
        corners_mm = np.unique(corners, axis=0) * spacing_mm
        hull = corners_mm[ConvexHull(corners_mm).vertices]
        longest = max(longest, float(pdist(hull).max()))
    return longest


def compute_sphere_diameter_mm(volume_mm3: float) -> float:
    """Diameter of the sphere of a volume."""
    return (6 * volume_mm3 / math.pi) ** (1 / 3)


def _measure_size(voxels: Voxels, geometry: Geometry) -> Row:
    volume = voxels.size * geometry.voxel_volume_ml * 1000
    slices = np.unique(np.unravel_index(voxels, geometry.shape)[2])
    return {
        "volume_mm3": round(volume, 2),
        "diameter_mm": round(compute_sphere_diameter_mm(volume), 3),
        "longest_mm": round(measure_longest_in_plane_mm(voxels, geometry), 3),
        "slices": len(slices),
    }


def _summarize_ratings(group: Group) -> Row:
    row: Row = {}
    for name in SCALES:
        rated = [dict(region.mark.characteristics).get(name) for region in group.outlined_regions]
        if values := [value for value in rated if value is not None]:
            row[f"{name}_mean"] = round(mean(values), 3)
            row[f"{name}_median"] = median(values)
            row[f"{name}_readers"] = " ".join("-" if v is None else str(v) for v in rated)
    return row
