"""Tests of medseg.ingest.turn."""

from itertools import permutations, product

import nibabel.orientations as nio
import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.ingest.turn import is_turned, turn

SHAPE = (5, 4, 3)
ARRAY = np.arange(60).reshape(SHAPE)
AXES = [
    np.column_stack([order, signs])
    for order in permutations(range(3))
    for signs in product([1, -1], repeat=3)
]
ROTATED = np.array([[0.8, -1.2, 0, 7], [0.6, 1.6, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1.0]])


def store(axes, affine):
    """The array and its grid as they are along other axes."""
    array = nio.apply_orientation(ARRAY, axes)
    return array, Geometry(array.shape, affine @ nio.inv_ornt_aff(axes, SHAPE))


@pytest.mark.parametrize("affine", [np.diag([1, 1, 2, 1.0]), ROTATED], ids=["upright", "oblique"])
def test_all_48_orders_and_signs_of_axes_are_turned_back_to_the_bit(affine):
    target = Geometry(SHAPE, affine)
    for axes in AXES:
        array, grid = store(axes, affine)
        assert is_turned(grid, target) is (axes.tolist() != [[0, 1], [1, 1], [2, 1]])
        np.testing.assert_array_equal(turn(array, grid, target), ARRAY)


@pytest.mark.parametrize("moved", [0.2, 1.0], ids=["a fifth of a voxel", "a voxel"])
def test_a_flipped_grid_that_lies_elsewhere_is_not_turned(moved):
    target = Geometry(SHAPE, np.eye(4))
    _, grid = store(np.array([[0, -1], [1, 1], [2, 1]]), np.eye(4))
    affine = grid.affine.copy()
    affine[0, 3] += moved
    assert not is_turned(Geometry(SHAPE, affine), target)


def test_a_grid_with_other_steps_or_fewer_voxels_is_not_turned():
    target = Geometry(SHAPE, np.eye(4))
    assert not is_turned(Geometry(SHAPE, np.diag([-1, 1, 2, 1.0])), target)
    assert not is_turned(Geometry((4, 5, 4), np.eye(4)), target)
    assert not is_turned(Geometry(SHAPE, np.eye(4)), target)
