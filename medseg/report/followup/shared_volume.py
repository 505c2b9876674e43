"""Shared volume: how much two lesions have in common, and how much of one was imaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.report.followup.lesion_map import LesionMap


def measure_shared(before: LesionMap, after: LesionMap, matrix: NDArray) -> NDArray[np.float64]:
    """The part of the smaller of two lesions that both share, for each pair, 0 to 1.

    It is sampled by the voxels of either side, and the larger result counts: a lesion smaller than
    the voxels of the other grid would fall between these.

    Args:
        before: lesions of the earlier study.
        after: those of the later one.
        matrix: (4, 4), takes RAS+ mm of the earlier study to those of the later one.

    Returns:
        (lesions before, lesions after).
    """
    there = _count_hits(before, after, matrix) * before.geometry.voxel_volume_ml
    back = _count_hits(after, before, np.linalg.inv(matrix)).T * after.geometry.voxel_volume_ml
    old = np.array([one.volume_ml for one in before.measurements])
    new = np.array([one.volume_ml for one in after.measurements])
    if not (len(old) and len(new)):
        return np.zeros((len(old), len(new)))
    return np.minimum(np.maximum(there, back) / np.minimum(old[:, None], new[None, :]), 1.0)


def _count_hits(source: LesionMap, target: LesionMap, matrix: NDArray) -> NDArray[np.int64]:
    """How many voxels of each lesion lie, moved, in each lesion of the target."""
    numbers, places = _move_voxels(source, matrix, target.geometry)
    inside = _is_within(places, target.geometry)
    hit = target.pieces[tuple(places[inside].T)]
    counts = np.zeros((len(source.measurements) + 1, len(target.measurements) + 1), np.int64)
    np.add.at(counts, (numbers[inside], hit), 1)
    return counts[1:, 1:]


def measure_imaged(source: LesionMap, number: int, matrix: NDArray, field: Geometry) -> float:
    """The part of a lesion that lies, moved, in the field of the other image, 0 to 1.

    Args:
        source: lesions of one study.
        number: of the lesion.
        matrix: (4, 4), takes RAS+ mm of that study to those of the other one.
        field: the grid of the other image.
    """
    numbers, places = _move_voxels(source, matrix, field)
    return float(_is_within(places[numbers == number], field).mean())


def _move_voxels(
    source: LesionMap, matrix: NDArray, grid: Geometry
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """The number of each lesion voxel, and the voxel of another grid where it lies, moved."""
    voxels = np.argwhere(source.pieces)
    points = source.geometry.voxel_to_world(voxels) @ matrix[:3, :3].T + matrix[:3, 3]
    return source.pieces[tuple(voxels.T)], np.round(grid.world_to_voxel(points)).astype(np.int64)


def _is_within(places: NDArray[np.int64], grid: Geometry) -> NDArray[np.bool_]:
    return np.all((places >= 0) & (places < grid.shape), axis=-1)
