"""Tests of medseg.plausibility.measure: values that are derivable on paper."""

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.plausibility import (
    measure_cases,
    measure_class,
    measure_share_beside_largest,
    reaches_edge,
)
from medseg.plausibility.measure import measure_image


def box(shape, *where):
    mask = np.zeros(shape, bool)
    mask[where] = True
    return mask


def test_a_class_has_its_volume_place_and_pieces():
    mask = box((10, 20, 40), slice(2, 4), slice(0, 10), slice(30, 40))
    mask[8, 19, 0] = True  # a speck of 1 beside 200 voxels
    found = measure_class(mask, voxel_ml=0.5)
    assert found["volume_ml"] == 100.5
    assert found["share"] == pytest.approx(20 / 200)
    assert found["pieces"] == 1
    assert found["place_1"] == pytest.approx((2.5 * 200 + 8) / 201 / 10 + 0.05)
    assert reaches_edge(mask)
    assert not reaches_edge(box((5, 5, 5), 2, 2, 2))


def test_the_share_beside_the_largest_piece_is_of_all_voxels():
    mask = box((10, 20, 40), slice(2, 4), slice(0, 10), slice(30, 40))
    assert measure_share_beside_largest(mask) == 0
    mask[8, 10:20, :5] = True  # 50 voxels beside 200
    assert measure_share_beside_largest(mask) == pytest.approx(0.2)
    assert measure_share_beside_largest(np.zeros((4, 4, 4), bool)) == 0


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("index", "reaches"), [(0, True), (1, False), (4, False), (5, True)])
def test_each_side_of_an_image_is_an_edge(axis, index, reaches):
    where = [3, 3, 3]
    where[axis] = index
    assert reaches_edge(box((6, 6, 6), *where)) == reaches
    assert not reaches_edge(np.zeros((0, 4), bool))


def test_an_empty_class_has_a_size_alone():
    assert measure_class(np.zeros((4, 4), bool)) == {"share": 0.0}
    assert measure_class(np.zeros((4, 4, 4), bool), voxel_ml=1) == {"share": 0, "volume_ml": 0}


def test_a_volume_has_its_sides_in_millimetres_and_a_body_in_hounsfield_units():
    hu = np.full((1, 10, 20, 4), -1000.0)
    hu[:, :, :10] = 40
    grid = Geometry((10, 20, 4), np.diag([1.0, 1.0, 8.0, 1.0]))
    found = measure_image(hu, modality="CT", grid=grid)
    assert found == {"longest_mm": 32, "shortest_mm": 10, "voxel_mm": 2, "body_hu": 40}


def test_a_picture_has_its_size_and_colour():
    picture = np.stack([np.full((8, 6), v) for v in (120.0, 60.0, 19.0)])
    found = measure_image(picture, modality="picture")
    assert (found["longest_px"], found["brightness"]) == (8, pytest.approx(199 / 3))
    assert found["redness"] == pytest.approx(101 / 200)


def test_no_cases_are_refused():
    with pytest.raises(ValueError, match="no training case was found"):
        measure_cases([], dict, modality="CT", classes={})
