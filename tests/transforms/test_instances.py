"""Tests of medseg.transforms.instances: objects are numbered, in arrays and dictionaries."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from medseg.transforms import LabelInstances, LabelInstancesd, label_instances


def plane(*rows):
    """A class map, one digit per voxel; a point is background."""
    return np.array([[0 if v == "." else int(v) for v in row] for row in rows])


CORNERS = plane("11..1", "..1..", ".1..1")


def test_pieces_are_numbered_by_their_first_voxel():
    assert label_instances(plane("1.1", "1.1", "...", "11.")).tolist() == [
        [1, 0, 2],
        [1, 0, 2],
        [0, 0, 0],
        [3, 3, 0],
    ]


def test_corners_connect_unless_faces_are_asked_for():
    assert label_instances(CORNERS).max() == 3
    assert label_instances(CORNERS, connectivity=1).max() == 5
    cube = np.zeros((2, 2, 2), bool)
    cube[0, 0, 0] = cube[1, 1, 1] = True
    counts = [label_instances(cube, connectivity=c).max() for c in (1, 2, 3, None)]
    assert counts == [2, 2, 1, 1]


def test_classes_that_touch_are_objects_of_their_own_numbered_class_by_class():
    assert label_instances(plane("2211.1")).tolist() == [[3, 3, 1, 1, 0, 2]]


def test_small_objects_are_left_out_without_a_gap_in_the_numbers():
    label = plane("1.111.11.2.22")
    assert label_instances(label, min_size=2).tolist() == plane("..111.22...33").tolist()
    assert label_instances(label, min_size=4).max() == 0


def test_an_empty_map_has_no_object_and_a_full_one_has_one():
    assert label_instances(np.zeros((3, 4), bool)).tolist() == np.zeros((3, 4)).tolist()
    assert label_instances(np.zeros((0, 4), bool)).shape == (0, 4)
    assert label_instances(np.ones((3, 4), bool)).tolist() == np.ones((3, 4)).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_has_the_pieces_that_scipy_finds(seed):
    mask = np.random.default_rng(seed).random((20, 30, 4)) < 0.2
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)))
    numbered = label_instances(mask)
    assert numbered.max() == count
    assert np.array_equal(numbered, expected)


def test_a_single_slice_has_the_objects_of_its_image():
    assert np.array_equal(label_instances(CORNERS[..., None])[..., 0], label_instances(CORNERS))


@pytest.mark.parametrize(("side", "dtype"), [(255, np.uint16), (256, np.uint32)])
def test_numbers_beyond_65535_take_32_bits(side, dtype):
    # single voxels two apart: 255 x 257 = 65535 of them fit into 16 bits, 256 x 257 do not
    mask = np.zeros((2 * side, 2 * 257), bool)
    mask[::2, ::2] = True
    numbered = label_instances(mask)
    assert numbered.dtype == dtype
    assert numbered.max() == side * 257
    assert len(np.unique(numbered)) == side * 257 + 1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_maps_of_every_type_are_numbered_alike(dtype):
    numbered = label_instances(CORNERS.astype(dtype))
    assert numbered.dtype == np.uint16
    assert np.array_equal(numbered, label_instances(CORNERS))


def test_the_transform_returns_the_kind_it_is_given():
    label = MetaTensor(torch.from_numpy(CORNERS)[None], affine=torch.eye(4) * 2)
    numbered = LabelInstances()(label)
    assert isinstance(numbered, MetaTensor)
    assert numbered.dtype == torch.int32
    assert torch.equal(numbered.affine, label.affine)
    array = LabelInstances()(CORNERS[None])
    assert (type(array), array.dtype) == (np.ndarray, np.uint16)
    assert numbered.tolist() == array.tolist() == [label_instances(CORNERS).tolist()]


def test_the_objects_go_to_an_entry_of_their_own():
    data = {"pred": CORNERS[None]}
    out = LabelInstancesd("pred", name="objects", connectivity=1, min_size=2)(data)
    assert np.array_equal(out["pred"], data["pred"])
    assert out["objects"].max() == 1
    assert list(data) == ["pred"]


def test_a_missing_key_is_refused_unless_allowed():
    assert LabelInstancesd("pred", allow_missing_keys=True)({"image": 1}) == {"image": 1}
    with pytest.raises(KeyError, match="pred"):
        LabelInstancesd("pred")({"image": 1})


def test_objects_that_are_there_are_kept_and_missing_ones_are_made_of_the_label():
    number = LabelInstancesd("label", keep=True)
    label = np.array([[1, 1, 0, 1]])
    known = np.array([[1, 2, 0, 3]])
    assert number({"label": label, "instances": known})["instances"] is known
    assert number({"label": label})["instances"].tolist() == [[1, 1, 0, 2]]


def test_several_keys_are_refused():
    with pytest.raises(ValueError, match="'instances' must hold the objects of one map, got keys"):
        LabelInstancesd(["pred", "label"])


def test_one_hot_channels_are_refused():
    with pytest.raises(ValueError, match=r"a label of one channel, got shape \(2, 3, 5\)"):
        LabelInstances()(np.stack([CORNERS, CORNERS]))


@pytest.mark.parametrize("wrong", [-1, 0.5, np.nan, np.inf])
def test_a_map_of_other_values_is_refused(wrong):
    with pytest.raises(ValueError, match=f"whole numbers from 0 on, got {wrong}"):
        label_instances(np.array([0, 1, wrong]))


@pytest.mark.parametrize("options", [{"min_size": 0}, {"connectivity": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(
        ValueError, match="min_size must be 1 voxel or more and connectivity None, or 1"
    ):
        LabelInstancesd("pred", **options)
