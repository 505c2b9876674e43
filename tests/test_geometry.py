"""Tests of medseg.geometry: expected numbers are derivable on paper."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from nibabel.orientations import aff2axcodes

from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry


def rotation_z(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def test_spacing_is_the_length_of_the_columns():
    affine = rotation_z(30) @ np.diag([0.5, 2.0, 3.0, 1.0])
    assert Geometry((2, 3, 4), affine).spacing_mm == pytest.approx((0.5, 2.0, 3.0))


def test_voxel_volume_is_in_millilitres():
    assert Geometry((1, 1, 1), np.diag([10.0, 10, 10, 1])).voxel_volume_ml == pytest.approx(1.0)


@pytest.mark.parametrize("diagonal", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("degrees", [0, 20, -40])
def test_orientation_agrees_with_nibabel(diagonal, order, degrees):
    affine = rotation_z(degrees)
    affine[:3, :3] = (affine[:3, :3] * diagonal)[:, order]
    assert Geometry((4, 4, 4), affine).orientation == "".join(aff2axcodes(affine))


def test_lps_identity_is_labelled_lps():
    geometry = Geometry.from_lps((2, 2, 2), np.eye(4))
    assert geometry.orientation == "LPS"
    np.testing.assert_array_equal(geometry.affine, np.diag([-1, -1, 1, 1]))


def test_lps_and_back_is_the_identity():
    affine_lps = rotation_z(17) @ np.diag([0.7, 0.8, 2, 1])
    affine_lps[:3, 3] = (-12.5, 30, 7)
    np.testing.assert_allclose(Geometry.from_lps((5, 6, 7), affine_lps).affine_lps, affine_lps)


def test_world_and_voxel_mappings_are_inverse():
    affine = rotation_z(25) @ np.diag([0.7, 0.8, 2, 1])
    affine[:3, 3] = (1, 2, 3)
    geometry = Geometry((5, 6, 7), affine)
    voxels = np.array([[0, 0, 0], [4, 5, 6], [0.5, 1.5, 2.5]])
    world = geometry.voxel_to_world(voxels)
    assert tuple(world[0]) == geometry.origin_mm == (1, 2, 3)
    np.testing.assert_allclose(geometry.world_to_voxel(world), voxels, atol=1e-12)


def test_shear_is_not_orthogonal():
    sheared = np.eye(4)
    sheared[1, 2] = np.tan(np.radians(5))
    assert not Geometry((4, 4, 4), sheared).is_orthogonal
    assert Geometry((4, 4, 4), rotation_z(33)).is_orthogonal


@pytest.mark.parametrize(("shift_voxels", "same"), [(0.9, True), (1.1, False)])
def test_same_grid_holds_up_to_the_tolerance(shift_voxels, same):
    affine = np.diag([0.5, 2.0, 3.0, 1.0])
    moved = affine.copy()
    moved[2, 3] = shift_voxels * GRID_TOLERANCE_VOXELS * 0.5
    assert Geometry((8, 8, 8), affine).same_grid(Geometry((8, 8, 8), moved)) is same


def test_a_small_spacing_error_counts_at_the_far_corner():
    fine, rounded = np.diag([0.703125, 0.703125, 1, 1]), np.diag([0.70, 0.70, 1, 1])
    assert Geometry((2, 2, 2), fine).same_grid(Geometry((2, 2, 2), rounded))
    difference = Geometry((512, 512, 2), fine).describe_difference(Geometry((512, 512, 2), rounded))
    assert difference.startswith("spacing (0.703125, 0.703125, 1) against (0.7, 0.7, 1) mm")
    assert "2.258 mm apart" in difference  # sqrt(2) * 511 * 0.003125


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Geometry((4, 4, 5), np.eye(4)), "shape (4, 4, 4) against (4, 4, 5)"),
        (Geometry((4, 4, 4), np.diag([-1, 1, 1, 1])), "orientation RAS against LAS"),
        (Geometry((4, 4, 4), np.diag([1, 1, 2, 1])), "spacing (1, 1, 1) against (1, 1, 2) mm"),
        (Geometry((4, 4, 4), rotation_z(10)), "axes turned"),
        (
            Geometry((4, 4, 4), np.eye(4) + np.eye(4, k=3) * 2),
            "origin (0, 0, 0) against (2, 0, 0) mm",
        ),
    ],
)
def test_difference_names_what_differs_in_one_line(other, words):
    difference = Geometry((4, 4, 4), np.eye(4)).describe_difference(other)
    assert words in difference
    assert "\n" not in difference


def test_a_geometry_equals_itself_and_cannot_be_changed():
    geometry = Geometry((4, 4, 4), np.eye(4))
    assert geometry == Geometry((4, 4, 4), np.eye(4))
    assert hash(geometry) == hash(Geometry((4, 4, 4), np.eye(4)))
    assert geometry != Geometry((4, 4, 4), np.diag([1, 1, 2, 1]))
    assert geometry != "geometry"
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        geometry.shape = (1, 1, 1)


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((4, 4), np.eye(4), "three positive integers"),
        ((4, 4, 0), np.eye(4), "three positive integers"),
        ((4, 4, 4), np.eye(3), "finite"),
        ((4, 4, 4), np.diag([1, 1, np.nan, 1]), "finite"),
        ((4, 4, 4), np.ones((4, 4)), "last row|end in the row"),
        ((4, 4, 4), np.diag([1, 1, 0, 1]), "invertible"),
    ],
)
def test_an_impossible_geometry_is_refused(shape, affine, words):
    with pytest.raises(ValueError, match=words):
        Geometry(shape, affine)
