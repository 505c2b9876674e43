"""Tests of medseg.report.followup.plane: each pixel is where a radiologist looks for it."""

from __future__ import annotations

import numpy as np
import pytest
from report.followup.bodies import CENTRE, make_grid

from medseg.geometry import Geometry
from medseg.report.followup.plane import cut_plane

AXIAL = make_grid((40, 40, 12), (1.0, 1.0, 3.0))
CORONAL = make_grid((40, 12, 40), (1.0, 3.0, 1.0), flips=(-1, 1, -1))
SAGITTAL = make_grid((12, 40, 40), (3.0, 1.0, 1.0), flips=(1, -1, 1))


@pytest.mark.parametrize(
    ("grid", "name", "letters", "across", "down"),
    [
        (AXIAL, "axial", "RA", (-1, 0, 0), (0, -1, 0)),
        (CORONAL, "coronal", "RS", (-1, 0, 0), (0, 0, -1)),
        (SAGITTAL, "sagittal", "AS", (0, -1, 0), (0, 0, -1)),
    ],
)
def test_pixels_run_as_a_radiologist_sees_the_slice(grid, name, letters, across, down):
    plane = cut_plane(grid, CENTRE, side_mm=20, pixels=10)
    assert (plane.name, plane.letters) == (name, letters)
    np.testing.assert_allclose(plane.points_mm[0, 1] - plane.points_mm[0, 0], 2 * np.array(across))
    np.testing.assert_allclose(plane.points_mm[1, 0] - plane.points_mm[0, 0], 2 * np.array(down))
    np.testing.assert_allclose(plane.points_mm.mean(axis=(0, 1)), CENTRE)


def test_the_plane_of_an_oblique_grid_runs_along_its_slices():
    grid = make_grid((40, 40, 12), (1.0, 1.0, 3.0), turn=(15, -10, 20))
    plane = cut_plane(grid, CENTRE, side_mm=20, pixels=11)
    slices = grid.world_to_voxel(plane.points_mm)[..., 2]
    np.testing.assert_allclose(slices, slices[0, 0], atol=1e-9)
    assert (plane.name, plane.letters) == ("axial", "RA")


def test_a_voxel_is_sampled_at_its_place_also_after_a_move():
    array = np.zeros(AXIAL.shape)
    array[25, 12, 6] = 7
    place = AXIAL.voxel_to_world((25, 12, 6))
    plane = cut_plane(AXIAL, place, side_mm=9, pixels=9)
    shown = plane.sample(array, AXIAL)
    assert np.argwhere(shown == 7).tolist() == [[4, 4]]
    matrix = np.eye(4)
    matrix[0, 3] = 2.0  # 2 mm to the patient's right
    assert np.argwhere(plane.sample(array, AXIAL, matrix=matrix) == 7).tolist() == [[4, 6]]


def test_outside_of_a_volume_is_what_was_asked_for_and_its_outer_voxels_are_whole():
    grid = Geometry((3, 3, 3), np.diag([4.0, 4.0, 8.0, 1.0]))
    plane = cut_plane(grid, (4, 4, 8), side_mm=20, pixels=20)
    shown = plane.sample(np.ones((3, 3, 3), np.uint8), grid, order=0)
    assert np.count_nonzero(shown) == 12 * 12
    assert plane.sample(np.zeros((3, 3, 3)), grid, outside=-5.0)[0, 0] == -5
