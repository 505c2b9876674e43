"""Tests of medseg.base.masks: pieces that can be counted on paper."""

import math

import numpy as np
import pytest
from monai.transforms.utils import generate_spatial_bounding_box

from medseg.base.masks import compute_dice, find_box, label_components
from medseg.transforms import label_instances

# three voxels that touch by corners, and two by a face
CORNERS = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]) > 0


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 2), ({"connectivity": 1}, 4), ({"min_size": 3}, 1), ({"min_size": 4}, 0)],
)
def test_pieces_are_numbered_as_the_transform_numbers_them(options, count):
    pieces, found = label_components(CORNERS, **options)
    assert found == count
    assert pieces.tolist() == label_instances(CORNERS, **options).tolist()


def test_an_empty_mask_has_no_piece():
    pieces, count = label_components(np.zeros((2, 3), bool))
    assert (pieces.any(), count) == (False, 0)


def test_numbers_follow_the_first_voxels_in_memory_order():
    pieces, _ = label_components(np.array([[0, 0, 1], [1, 0, 0], [1, 0, 1]]))
    assert pieces.tolist() == [[0, 0, 1], [2, 0, 0], [2, 0, 3]]


def test_the_pieces_that_are_large_enough_are_numbered_without_gaps():
    pieces, count = label_components(np.array([1, 0, 1, 1, 0, 1, 0, 1, 1]), min_size=2)
    assert (pieces.tolist(), count) == ([0, 0, 1, 1, 0, 0, 0, 2, 2], 2)


@pytest.mark.parametrize(
    ("other", "counts"),
    [((1, 0, 0), (1, 1, 1)), ((1, 1, 0), (2, 1, 1)), ((1, 1, 1), (2, 2, 1))],
    ids=["by a face", "by an edge", "by a corner"],
)
def test_neighbours_in_3d_share_a_face_an_edge_or_a_corner(other, counts):
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 0, 0] = mask[other] = True
    assert tuple(label_components(mask, connectivity=n)[1] for n in (1, 2, 3)) == counts
    assert label_components(mask)[1] == label_components(mask, connectivity=9)[1] == counts[-1]


def test_any_value_but_0_is_of_the_mask():
    assert label_components(np.array([2, 3, 0, -1]))[0].tolist() == [1, 1, 0, 2]


@pytest.mark.parametrize("margin", [0, 1, 3])
@pytest.mark.parametrize("shape", [(9,), (7, 5), (4, 6, 5)])
def test_the_box_of_a_mask_is_the_one_of_monai(shape, margin):
    mask = np.random.default_rng(len(shape)).random(shape) > 0.8
    start, end = generate_spatial_bounding_box(mask[None], margin=margin, allow_smaller=True)
    assert find_box(mask, margin=margin) == tuple(map(slice, start, end))


def test_an_empty_mask_has_no_box():
    with pytest.raises(IndexError):
        find_box(np.zeros((2, 3), bool))


def test_dice_is_twice_what_both_share_of_what_each_has():
    a, b = np.zeros((2, 4), bool)
    assert math.isnan(compute_dice(a, b))
    a[:2] = True
    assert compute_dice(a, b) == 0
    b[1:3] = True
    assert compute_dice(a, b) == 0.5
