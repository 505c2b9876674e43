"""Tests of medseg.datasets.own.dicom.planes: where the pixels of a plane lie in a volume."""

import numpy as np
import pytest

from medseg.datasets.own.dicom.planes import draw_plane, find_voxel_step
from medseg.geometry import Geometry

GRID = Geometry.from_lps((6, 5, 4), np.diag([2.0, 3.0, 4.0, 1.0]))
AXIAL = {"orientation": (1, 0, 0, 0, 1, 0), "spacing_mm": (3.0, 2.0)}


def test_a_plane_is_drawn_at_its_place():
    step = find_voxel_step(GRID, position=(2.0, 3.0, 8.0), **AXIAL)
    onto = np.zeros(GRID.shape, bool)
    assert draw_plane(np.array([[True, True, False]]), onto, step) == 0
    assert np.argwhere(onto).tolist() == [[1, 1, 2], [2, 1, 2]]


def test_pixels_outside_are_counted():
    step = find_voxel_step(GRID, position=(10.0, 0.0, 0.0), **AXIAL)
    onto = np.zeros(GRID.shape, bool)
    assert draw_plane(np.ones((1, 3), bool), onto, step) == 2
    assert onto.sum() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"position": (0.5, 0.0, 0.0)},
        {"spacing_mm": (3.0, 2.2)},
        {"orientation": (0.8, 0.6, 0, -0.6, 0.8, 0)},
    ],
)
def test_pixels_that_do_not_lie_on_voxels_have_no_place(changed):
    assert find_voxel_step(GRID, **{"position": (0.0, 0.0, 0.0), **AXIAL, **changed}) is None
