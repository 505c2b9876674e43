"""Tests of medseg.inference.preview.planes: which planes, from where they are seen, and where."""

import nibabel as nib
import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.inference.preview.planes import (
    Plane,
    Upright,
    choose_main_planes,
    choose_stack,
    find_segmented,
    find_slice_axis,
    measure_tilt,
    name_direction,
)

SHAPE = (40, 30, 20)


def affine(order="RAS", *, spacing=(1.0, 1.0, 1.0), turn=0.0, axis=2):
    """Voxel axes that point to `order`, turned by an angle in degrees about an axis."""
    flips = [1.0 if letter in "RAS" else -1.0 for letter in order]
    first, second = (a for a in range(3) if a != axis)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rotation = np.eye(3)
    rotation[[first, first, second, second], [first, second, first, second]] = cos, -sin, sin, cos
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ np.diag(flips) @ np.diag(spacing)
    return matrix


def volume(matrix, *, shape=SHAPE, where=None):
    """A volume whose values are its voxels' places in millimetres to the right, 100 to the front
    and 10000 to the head, so that they tell where a voxel lies."""
    grid = Geometry(shape, matrix)
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    label = np.zeros(shape, np.uint8)
    if where is not None:
        label[where] = 1
    return Upright.turn(grid.voxel_to_world(voxels) @ [1, 100, 10000], label, grid)


ORDERS = {
    "RAS": affine(),
    "LPS": affine("LPS"),
    "LAI": affine("LAI"),
    "axes in another order": affine("RPS")[:, [2, 0, 1, 3]],
}


@pytest.mark.parametrize("matrix", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize(("axis", "across", "up"), [(2, 1, 100), (1, 1, 10000), (0, 100, 10000)])
def test_right_or_front_is_on_the_left_and_front_or_head_on_top(matrix, axis, across, up):
    """Values fall by one voxel's step from the left to the right, and from top to bottom."""
    image = Plane(volume(matrix), axis, 5).image
    np.testing.assert_allclose(np.diff(image, axis=1), -across)
    np.testing.assert_allclose(np.diff(image, axis=0), -up)


@pytest.mark.parametrize("matrix", ORDERS.values(), ids=ORDERS.keys())
def test_letters_name_the_sides_from_the_affine(matrix):
    axial, coronal, sagittal = choose_main_planes(volume(matrix), is_thin=False)
    assert (axial.name, axial.sides) == ("axial", ("R", "L", "A", "P"))
    assert (coronal.name, coronal.sides) == ("coronal", ("R", "L", "S", "I"))
    assert (sagittal.name, sagittal.sides) == ("sagittal", ("A", "P", "S", "I"))


@pytest.mark.parametrize("matrix", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_number_of_a_slice_is_that_in_the_file_counted_from_1(matrix, axis):
    """The slice of that number, taken from the array of the file, holds the plane's values."""
    found = volume(matrix)
    plane = Plane(found, axis, 3)
    number, count = plane.number
    grid = Geometry(SHAPE, matrix)
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    stored = grid.voxel_to_world(voxels) @ [1, 100, 10000]
    places = nib.orientations.io_orientation(matrix)[:, 0].tolist()
    file_axis = places.index(axis)
    assert count == SHAPE[file_axis]
    taken = np.take(stored, number - 1, axis=file_axis)
    assert sorted(taken.ravel()) == pytest.approx(sorted(plane.image.ravel()))


@pytest.mark.parametrize(
    ("order", "axis", "text"),
    [
        ("RAS", 2, "15.0 mm superior"),
        ("RAS", 0, "10.0 mm right"),
        ("LPS", 0, "68.0 mm left"),
        ("LPS", 1, "48.0 mm posterior"),
    ],
)
def test_the_position_of_a_plane_is_its_place_in_the_patient(order, axis, text):
    """Index 5 of steps of 2, 2 and 3 mm; an axis that is turned begins at its other end."""
    assert (
        Plane(volume(affine(order, spacing=(2, 2, 3))), axis, 5).position
        == f"{text} of the file's origin"
    )


def test_oblique_planes_say_so_with_their_tilt_and_two_letters():
    found = volume(affine(turn=17, axis=0))
    axial, coronal, sagittal = (Plane(found, axis, 5) for axis in (2, 1, 0))
    assert [p.name for p in (axial, coronal)] == ["oblique axial", "oblique coronal"]
    assert sagittal.name == "sagittal"
    assert axial.tilt_degrees == pytest.approx(17)
    assert measure_tilt(found.grid) == pytest.approx(17)
    assert axial.sides == ("R", "L", "AS", "PI")
    assert sagittal.sides == ("AS", "PI", "SP", "IA")


def test_a_turn_within_a_plane_leaves_it_axial_and_turns_its_letters():
    axial = Plane(volume(affine(turn=30, axis=2)), 2, 5)
    assert axial.name == "axial"
    assert axial.sides == ("RA", "LP", "AL", "PR")


def test_a_small_turn_keeps_one_letter():
    assert Plane(volume(affine(turn=5, axis=0)), 2, 5).sides == ("R", "L", "A", "P")
    assert measure_tilt(Geometry(SHAPE, affine())) == pytest.approx(0, abs=0.01)
    assert name_direction(np.array([0.0, -0.8, 0.6])) == "PS"


def test_each_main_plane_is_the_one_with_the_largest_area():
    found = volume(affine(), where=np.s_[10:12, 10:12, 5])
    found.label[10:20, 10:20, 12] = 1
    assert [p.index for p in choose_main_planes(found, is_thin=False)] == [12, 10, 10]


def test_without_a_segmented_voxel_the_planes_are_the_middle_ones():
    planes = choose_main_planes(volume(affine()), is_thin=False)
    assert [(p.axis, p.index) for p in planes] == [(2, 10), (1, 15), (0, 20)]


@pytest.mark.parametrize(
    ("slices", "shown"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (5, [0, 2, 4]), (6, [1, 3, 5])]
)
def test_a_stack_shows_the_middles_of_its_thirds(slices, shown):
    found = volume(affine(), shape=(60, 60, slices), where=np.s_[10:20, 10:20, :])
    assert [p.index for p in choose_main_planes(found, is_thin=True)] == shown


def test_the_slices_of_a_stack_are_those_with_a_mask():
    found = volume(affine(), where=np.s_[10:20, 10:20, 4:6])
    assert [p.index for p in choose_stack(found, 2, most=3)] == [4, 5]
    assert [p.index for p in choose_stack(found, 2, most=1)] == [5]


def test_the_segmented_rows_and_columns_are_those_of_the_planes():
    found = volume(affine("LPS"), where=np.s_[3:9, 4:6, 2:7])
    for axis in range(3):
        rows, columns = find_segmented(found.label, axis)
        seen = np.any([Plane(found, axis, n).label for n in range(found.grid.shape[axis])], axis=0)
        assert seen[rows, columns].any(axis=0).all()
        assert seen[rows, columns].any(axis=1).all()
        assert seen[rows, columns].sum() == seen.sum()
    assert find_segmented(np.zeros((3, 3, 3)), 0) is None


@pytest.mark.parametrize("matrix", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_pixels_of_a_plane_lie_where_its_values_say(matrix, axis):
    plane = Plane(volume(matrix), axis, 7)
    np.testing.assert_allclose(plane.positions @ [1, 100, 10000], plane.image, atol=1e-6)


@pytest.mark.parametrize(
    ("spacing", "axis"), [((1, 1, 5), 2), ((5, 1, 1), 0), ((1, 1, 1), 2), ((1, 1.4, 1), 2)]
)
def test_slices_lie_across_the_thick_axis_or_from_the_feet_up(spacing, axis):
    assert find_slice_axis(Geometry(SHAPE, np.diag([*spacing, 1.0]))) == axis
