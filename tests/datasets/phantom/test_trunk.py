"""Tests of medseg.datasets.phantom.trunk: table, wall, lungs and spine are where they belong."""

import numpy as np
import pytest

from medseg.datasets.phantom.canvas import AIR_HU, Canvas
from medseg.datasets.phantom.trunk import (
    FAT_HU,
    MUSCLE_HU,
    compute_cavity_level,
    compute_diaphragm_mm,
    find_abdominal_cavity,
    paint_chest,
    paint_spine,
    paint_table,
    paint_wall,
)


def make_canvas(*points_mm):
    return Canvas(*np.array(points_mm, np.float32).T[:, :, None])


def test_the_wall_is_skin_fat_muscle_and_fat_from_the_outside_in():
    canvas = make_canvas(*[(x, 3, -200) for x in (170, 160, 150, 137, 0)])
    paint_wall(canvas)
    assert canvas.hu.ravel().tolist() == [AIR_HU, 10, FAT_HU, MUSCLE_HU, FAT_HU]


@pytest.mark.parametrize("side", [-1, 1])
def test_the_cavity_is_an_oval_of_258_by_164_mm_that_lies_3_mm_to_the_front(side):
    assert compute_cavity_level(np.float32(side * 129), np.float32(3)) == pytest.approx(0, abs=1e-5)
    assert compute_cavity_level(np.float32(0), np.float32(3 + side * 82)) == pytest.approx(
        0, abs=1e-5
    )
    assert compute_cavity_level(np.float32(0), np.float32(3)) == 1


def test_the_right_dome_of_the_diaphragm_is_8_mm_higher_than_the_left_one():
    tops = compute_diaphragm_mm(np.float32([62, -66]), np.float32([6, 2]))
    np.testing.assert_allclose(tops, [74, 66])
    assert compute_diaphragm_mm(np.float32(62), np.float32(60)) < 74


def test_the_abdomen_ends_at_the_diaphragm_and_the_lung_begins_2_mm_above():
    points = [(62, 6, z) for z in (73, 75, 77)]
    canvas = make_canvas(*points)
    inside = find_abdominal_cavity(canvas.x, canvas.y, canvas.z)
    assert inside.ravel().tolist() == [True, False, False]
    paint_chest(canvas)
    assert canvas.hu.ravel().tolist() == [AIR_HU, AIR_HU, -840]


def test_the_heart_lies_in_the_chest_left_of_the_middle():
    canvas = make_canvas((-26, 34, 98), (46, 34, 98))
    paint_chest(canvas)
    assert canvas.hu.ravel().tolist() == [140, -840]


def test_discs_lie_every_34_mm_between_vertebrae_and_the_canal_behind():
    canvas = make_canvas(*[(0, -43, z) for z in (0, 17, 102, 119)], (0, -67, 17))
    paint_spine(canvas)
    assert canvas.hu.ravel().tolist() == [95, 210, 95, 210, 35]


def test_the_table_is_a_shell_of_foam_below_the_back():
    canvas = make_canvas(*[(0, y, 0) for y in (-112, -117, -128, -139, -150)])
    paint_table(canvas, canvas.y, back_mm=-112)
    assert canvas.hu.ravel().tolist() == [AIR_HU, 40, -920, 40, AIR_HU]
