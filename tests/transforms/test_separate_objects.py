"""Tests of medseg.transforms.separate_objects."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from medseg.transforms import SeparateObjectsd
from medseg.transforms.separate_objects import find_touching

TWO = np.array(
    [
        [1, 1, 1, 2, 2],
        [1, 1, 1, 2, 2],
        [1, 1, 0, 0, 2],
    ]
)


def test_a_border_is_a_voxel_wide_on_either_side():
    expected = [
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    assert find_touching(TWO).astype(int).tolist() == expected


def test_objects_that_meet_at_a_corner_touch():
    assert find_touching(np.array([[1, 0], [0, 2]])).tolist() == [[True, False], [False, True]]


def test_objects_with_background_between_them_stay_whole():
    assert not find_touching(np.array([[1, 1, 0, 2, 2]])).any()
    assert not find_touching(np.zeros((3, 3), int)).any()


@pytest.mark.parametrize("shape", [(40,), (30, 30), (12, 12, 12)])
def test_what_is_left_has_a_piece_for_each_object_at_least(shape):
    """A random partition: after parting, no piece holds voxels of two objects."""
    rng = np.random.default_rng(0)
    seeds = np.zeros(shape, int)
    for index in range(1, 7):
        seeds[tuple(rng.integers(0, n) for n in shape)] = index
    nearest = ndimage.distance_transform_edt(seeds == 0, return_indices=True)[1]
    objects = seeds[tuple(nearest)]
    left = np.where(find_touching(objects), 0, objects)
    pieces, count = ndimage.label(left > 0, np.ones((3,) * len(shape)))
    assert count >= len(np.unique(left)) - 1
    for index in range(1, count + 1):
        assert len(np.unique(left[pieces == index])) == 1


def test_label_and_objects_are_parted_together_and_keep_their_type():
    label = np.where(TWO > 0, 255, 0).astype(np.uint8)
    item = {"objects": MetaTensor(torch.tensor(TWO[None])), "label": torch.tensor(label[None])}
    out = SeparateObjectsd("objects")(item)
    assert isinstance(out["objects"], MetaTensor)
    assert out["label"].dtype == torch.uint8
    assert ((out["label"] == 255) == (out["objects"] > 0)).all()
    assert (item["label"] == torch.tensor(label[None])).all()  # the input is left as it was


def test_objects_of_another_size_or_several_channels_are_refused():
    for shapes in (((1, 3), (1, 4)), ((2, 3), (2, 3))):
        objects, label = (np.zeros(shape, int) for shape in shapes)
        with pytest.raises(ValueError, match="one channel and one size"):
            SeparateObjectsd("objects")({"objects": objects, "label": label})


def test_an_item_without_objects_is_passed_over_only_when_asked():
    assert SeparateObjectsd("objects", allow_missing_keys=True)({"label": 1}) == {"label": 1}
    with pytest.raises(KeyError):
        SeparateObjectsd("objects")({"label": 1})
