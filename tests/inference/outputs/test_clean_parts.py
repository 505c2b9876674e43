"""Tests of medseg.inference.outputs.clean_parts: small parts go, holes are filled."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.inference import CleanPartsd
from medseg.inference.outputs.clean_parts import find_holes, find_small_parts

NESTED = {"liver": [1, 2], "tumour": [2]}


def clean(values, *, classes=None, **rules):
    """The label map of a volume whose voxels have 0.002 mL, or of a picture."""
    values = torch.as_tensor(np.asarray(values), dtype=torch.uint8)[None]
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    meta = {"original_affine": affine, "spatial_shape": np.array(values.shape[1:])}
    image = MetaTensor(torch.zeros(values.shape), affine=torch.tensor(affine), meta=meta)
    made = CleanPartsd("pred", classes=classes or {"liver": [1]}, **rules)
    return made({"pred": values, "image": image})["pred"][0].numpy()


def draw(*boxes, shape=(12, 12, 8)):
    values = np.zeros(shape, np.uint8)
    for where, value in boxes:
        values[where] = value
    return values


LARGE, SMALL = np.s_[1:6, 1:6, 1:5], np.s_[8:10, 8:10, 2:4]  # 100 and 8 voxels


def test_without_rules_nothing_changes():
    values = draw((LARGE, 1), (SMALL, 1))
    np.testing.assert_array_equal(clean(values), values)


@pytest.mark.parametrize(("size_ml", "stays"), [(0.016, True), (0.017, False)])
def test_parts_below_the_size_in_millilitres_go(size_ml, stays):
    values = draw((LARGE, 1), (SMALL, 1))
    found = clean(values, smallest_part={"liver": size_ml})
    np.testing.assert_array_equal(found, values if stays else draw((LARGE, 1)))


@pytest.mark.parametrize(("pixels", "stays"), [(4, True), (5, False)])
def test_in_a_picture_sizes_are_pixels(pixels, stays):
    values = draw((np.s_[1:6, 1:6], 1), (np.s_[8:10, 8:10], 1), shape=(12, 12))
    found = clean(values, smallest_part={"liver": pixels})
    assert bool(found[8, 8]) is stays
    assert found[3, 3]


def test_a_small_part_of_an_inner_class_becomes_the_class_around_it():
    values = draw((LARGE, 1), (np.s_[2:3, 2:3, 2:3], 2), (np.s_[4:6, 1:4, 1:4], 2))
    found = clean(values, classes=NESTED, smallest_part={"tumour": 0.01})
    assert found[2, 2, 2] == 1
    assert (found[4:6, 1:4, 1:4] == 2).all()


def test_a_hole_is_filled_and_what_opens_to_the_border_is_not():
    values = draw((LARGE, 1))
    values[3, 3, 2] = 0
    values[3, 3, 4] = 0
    found = clean(values, fill_holes=["liver"])
    assert found[3, 3, 2] == 1
    assert found[3, 3, 4] == 0


def test_another_structure_in_a_hole_is_kept():
    values = draw((LARGE, 1))
    values[3, 3, 2] = 2
    found = clean(values, classes={"liver": [1], "vessel": [2]}, fill_holes=["liver"])
    np.testing.assert_array_equal(found, values)


def test_a_hole_of_a_region_in_the_region_around_it_is_filled_and_a_third_one_is_not():
    nested = {"body": [1, 2, 3], "liver": [2], "vessel": [3]}
    values = draw((np.s_[0:11, 0:11, 0:7], 1), (LARGE, 2))
    values[3, 3, 2], values[4, 3, 2] = 1, 3
    found = clean(values, classes=nested, fill_holes=["liver"])
    assert found[3, 3, 2] == 2
    assert found[4, 3, 2] == 3


def test_a_volume_of_one_slice_is_filled_within_it():
    values = draw((np.s_[1:6, 1:6, 0:1], 1), shape=(12, 12, 1))
    values[3, 3, 0] = 0
    assert clean(values, fill_holes=["liver"])[3, 3, 0] == 1


@pytest.mark.parametrize("rules", [{"smallest_part": {"livr": 1}}, {"fill_holes": ["livr"]}])
def test_an_unknown_class_is_refused(rules):
    with pytest.raises(ValueError, match=r"names 'livr', which is no class .* liver"):
        clean(draw((LARGE, 1)), **rules)


def test_an_empty_mask_has_neither_parts_nor_holes():
    nothing = np.zeros((4, 4, 4), bool)
    assert not find_small_parts(nothing, 5).any()
    assert not find_holes(nothing).any()
