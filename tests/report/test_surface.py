"""Tests of medseg.report.surface: bodies whose area is known on paper."""

import numpy as np
import pytest

from medseg.report.surface import measure_surface


def draw_sphere(radius_mm, spacing):
    size = [int(2 * radius_mm / step) + 6 for step in spacing]
    at = (np.moveaxis(np.indices(size), 0, -1) - (np.array(size) - 1) / 2) * spacing
    return (at**2).sum(axis=-1) <= radius_mm**2


@pytest.mark.parametrize("radius_mm", [5, 10, 20, 40])
def test_a_sphere_of_ten_voxels_or_more_has_its_area(radius_mm):
    found = measure_surface(draw_sphere(radius_mm, (1, 1, 1)), np.eye(4))
    assert found == pytest.approx(4 * np.pi * radius_mm**2, rel=0.05 if radius_mm < 10 else 0.02)


@pytest.mark.parametrize(("thickness", "most"), [(2.5, 1.06), (5.0, 1.11)])
def test_thick_slices_make_a_sphere_at_most_a_tenth_too_large(thickness, most):
    spacing = (0.8, 0.8, thickness)
    found = measure_surface(draw_sphere(20, spacing), np.diag([*spacing, 1.0]))
    assert 1 < found / (4 * np.pi * 20**2) < most


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 5.0), (3.0, 1.0, 0.5)])
@pytest.mark.parametrize("side", [10, 20])
def test_a_box_loses_only_its_edges(spacing, side):
    a, b, c = np.array(spacing) * side
    found = measure_surface(np.ones((side,) * 3, bool), np.diag([*spacing, 1.0]))
    assert 0.91 < found / (2 * (a * b + b * c + a * c)) < 1


def test_a_turn_does_not_change_the_area_and_a_larger_grid_squares_it():
    sphere, angle = draw_sphere(9, (1, 1, 1)), 0.6
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    upright = measure_surface(sphere, np.eye(4))
    assert measure_surface(sphere, turn) == pytest.approx(upright)
    assert measure_surface(sphere, np.diag([3.0, 3.0, 3.0, 1.0])) == pytest.approx(9 * upright)


def test_a_sheared_grid_is_measured_as_it_lies():
    shear = np.eye(4)
    shear[0, 2] = 1.0  # a box of 20 x 30 x 10 mm leans by 45 degrees
    found = measure_surface(np.ones((20, 30, 10), bool), shear)
    paper = 2 * (20 * 30 + 20 * 10 + 30 * 10 * np.sqrt(2))
    assert 0.92 < found / paper < 1


def test_a_hole_has_a_surface_too():
    full = draw_sphere(20, (1, 1, 1))
    hollow = full.copy()
    at = (np.moveaxis(np.indices(full.shape), 0, -1) - (np.array(full.shape) - 1) / 2) ** 2
    hollow[at.sum(axis=-1) <= 10**2] = False
    assert measure_surface(hollow, np.eye(4)) == pytest.approx(
        measure_surface(full, np.eye(4)) + 4 * np.pi * 10**2, rel=0.02
    )


def test_a_few_voxels_have_at_least_the_area_of_a_sphere_of_their_volume():
    one = measure_surface(np.ones((1, 1, 1), bool), np.diag([2.0, 2.0, 2.0, 1.0]))
    assert one == pytest.approx(4 * np.pi * (8 / (4 / 3 * np.pi)) ** (2 / 3))
    row = measure_surface(np.ones((1, 1, 4), bool), np.eye(4))
    assert 4 * np.pi * (4 / (4 / 3 * np.pi)) ** (2 / 3) <= row < 18


def test_a_thin_sheet_has_two_sides():
    sheet = measure_surface(np.ones((40, 40, 1), bool), np.diag([1.0, 1.0, 0.1, 1.0]))
    assert sheet == pytest.approx(2 * 40 * 40, rel=0.06)


def test_an_empty_mask_has_no_surface():
    with pytest.raises(ValueError, match="the mask is empty"):
        measure_surface(np.zeros((3, 3, 3), bool), np.eye(4))
