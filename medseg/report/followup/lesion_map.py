"""Lesion map: the lesions of a structure at one time: where they are, and their measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import find_box
from medseg.geometry import Geometry
from medseg.labels import Label
from medseg.report.lesions import number_lesions
from medseg.report.measure import Measurement, find_voxels


@dataclass(frozen=True, eq=False)
class LesionMap:
    """The lesions of a structure at one time.

    Attributes:
        structure: name of the label, as it is measured.
        pieces: (I, J, K), the number of a lesion for each voxel, 0 elsewhere; cut to the lesions.
        geometry: of `pieces`.
        field: the grid of the whole image, which says what was imaged at all.
        measurements: of lesion 1, 2, ...
    """

    structure: str
    pieces: NDArray[np.integer]
    geometry: Geometry
    field: Geometry
    measurements: tuple[Measurement, ...]


def map_lesions(
    mask: NDArray,
    geometry: Geometry,
    label: Label,
    measured: Sequence[Measurement],
    *,
    smallest_ml: float = 0.0,
) -> LesionMap:
    """The lesions of a label of a label map.

    Args:
        mask: (I, J, K), label values.
        geometry: its grid.
        label: whose pieces are lesions.
        measured: from `medseg.report.measure_structures`, with the pieces of the label.
        smallest_ml: smaller lesions are left out; the others keep their numbers.

    Returns:
        The map; of a label without a voxel it has one voxel, 0.

    Example:
        >>> table = make_table(["tumour"])
        >>> grid = Geometry((4, 1, 1), np.eye(4))
        >>> mask = np.array([1, 1, 0, 1]).reshape(4, 1, 1)
        >>> found = map_lesions(mask, grid, table[1], measure_structures(mask, grid, table))
        >>> found.pieces.ravel().tolist(), len(found.measurements)
        ([1, 1, 0, 2], 2)
    """
    within = find_voxels(mask, label)
    if not within.any():
        alone = Geometry((1, 1, 1), geometry.affine)
        return LesionMap(label.whole_name, np.zeros((1, 1, 1), np.int32), alone, geometry, ())
    box = find_box(within)
    pieces, _ = number_lesions(within[box])
    kept = tuple(
        one
        for one in measured
        if one.value == label.index and one.lesion and one.volume_ml >= smallest_ml
    )
    pieces[pieces > len(kept)] = 0
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.voxel_to_world([part.start for part in box])
    i, j, k = pieces.shape
    return LesionMap(label.whole_name, pieces, Geometry((i, j, k), affine), geometry, kept)
