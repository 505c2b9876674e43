"""Tests of medseg.report.followup.lesion_map: the numbers are those of the measurements."""

from __future__ import annotations

import numpy as np
from report.followup.bodies import CENTRE, draw_spheres, make_grid

from medseg.labels import make_table
from medseg.report import measure_structures
from medseg.report.followup.lesion_map import map_lesions

TABLE = make_table({"liver": [1, 2], "tumour": [2]})
GRID = make_grid((60, 50, 30), (1.5, 1.5, 3.0), turn=(10, 5, 0))
SPHERES = [((-20, 0, 0), 6), ((15, 10, 5), 9)]


def map_spheres(**options):
    mask = draw_spheres(GRID, [((0, 0, 0), 40)])
    mask = draw_spheres(GRID, SPHERES, value=2, onto=mask)
    return map_lesions(mask, GRID, TABLE[2], measure_structures(mask, GRID, TABLE), **options)


def test_a_number_stands_for_the_lesion_that_was_measured():
    found = map_spheres()
    assert found.structure == "tumour"
    for number, measured in enumerate(found.measurements, start=1):
        voxels = np.argwhere(found.pieces == number)
        assert len(voxels) == measured.voxels
        centroid = found.geometry.voxel_to_world(voxels.mean(axis=0))
        np.testing.assert_allclose(centroid, measured.centroid_mm)
    np.testing.assert_allclose(found.measurements[0].centroid_mm - CENTRE, (15, 10, 5), atol=0.2)


def test_the_map_is_cut_to_the_lesions_and_knows_the_whole_field():
    found = map_spheres()
    assert np.prod(found.pieces.shape) < np.prod(GRID.shape)
    assert found.field is GRID


def test_smaller_lesions_are_left_out():
    found = map_spheres(smallest_ml=2.0)
    assert [one.lesion for one in found.measurements] == [1]
    assert set(np.unique(found.pieces)) == {0, 1}


def test_a_label_without_a_voxel_has_no_lesion():
    mask = np.zeros(GRID.shape, np.uint8)
    found = map_lesions(mask, GRID, TABLE[2], measure_structures(mask, GRID, TABLE))
    assert found.measurements == ()
    assert not found.pieces.any()
