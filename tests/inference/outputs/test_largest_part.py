"""Tests of medseg.inference.outputs.largest_part: one part stays, and what goes is said."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.inference import KeepLargestPartd
from medseg.inference.outputs.largest_part import find_smaller_parts
from medseg.inference.outputs.notes import read_notes

SHAPE = (20, 30, 10)
LARGE, SMALL = np.s_[2:12, 5:25, 2:7], np.s_[15:18, 5:10, 2:6]  # 1000 and 60 voxels of 2 mm3


def keep(values, names, *, classes=None):
    values = torch.as_tensor(values, dtype=torch.uint8)[None]
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    meta = {"original_affine": affine, "spatial_shape": np.array(values.shape[1:])}
    image = MetaTensor(torch.zeros(values.shape), affine=torch.tensor(affine), meta=meta)
    data = {"case": "a", "image": image, "pred": values}
    kept = KeepLargestPartd("pred", classes=classes or {"liver": [1]}, names=names)(data)
    return kept["pred"][0].numpy(), read_notes(kept["image"])


def volume(**parts):
    values = np.zeros(SHAPE)
    for where, value in parts.values():
        values[where] = value
    return values


def test_only_the_largest_part_stays_and_the_rest_is_noted(caplog):
    found, notes = keep(volume(a=(LARGE, 1), b=(SMALL, 1)), ["liver"])
    assert np.array_equal(found, volume(a=(LARGE, 1)))
    assert notes == [
        "liver: a smaller part was removed, 0.12 of 2.12 mL, "
        "because only the largest connected part is kept (largest_only)"
    ]
    assert f"case a: {notes[0]}" in caplog.text


def test_a_speck_is_removed_without_a_note():
    found, notes = keep(volume(a=(LARGE, 1), b=((19, 29, 9), 1)), ["liver"])
    assert np.array_equal(found, volume(a=(LARGE, 1)))
    assert notes == []


def test_parts_that_touch_at_an_edge_only_are_two():
    smaller, count = find_smaller_parts(np.array([[1, 1, 0], [0, 0, 1]]) > 0)
    assert (smaller.tolist(), count) == ([[False] * 3, [False, False, True]], 1)


@pytest.mark.parametrize("values", [volume(), volume(a=(LARGE, 1))], ids=["empty", "one part"])
def test_what_is_in_one_part_or_absent_stays_as_it_is(values):
    found, notes = keep(values, ["liver"])
    assert np.array_equal(found, values)
    assert notes == []


def test_without_names_nothing_is_removed_and_other_classes_are_left_alone():
    values = volume(a=(LARGE, 1), b=(SMALL, 2), c=((19, 29, 9), 2))
    classes = {"liver": [1], "spleen": [2]}
    assert np.array_equal(keep(values, [], classes=classes)[0], values)
    assert np.array_equal(keep(values, ["liver"], classes=classes)[0], values)
    assert (keep(values, ["spleen"], classes=classes)[0] == 2).sum() == 60


def test_a_region_takes_those_within_it_along_and_an_inner_one_becomes_the_outer():
    classes = {"liver": [1, 2], "tumour": [2]}
    values = volume(a=(LARGE, 1), b=(SMALL, 1), c=((3, 6, 3), 2), d=((16, 6, 3), 2))
    values[9:11, 9, 4] = 2
    found, _ = keep(values, ["liver"], classes=classes)
    assert (found[SMALL] == 0).all()
    assert (found == 2).sum() == 3
    found, _ = keep(values, ["tumour"], classes=classes)
    assert (found == 2).sum() == 2
    assert (found > 0).sum() == (values > 0).sum()


def test_the_removed_parts_of_a_picture_are_counted_in_pixels():
    values = np.zeros((20, 30))
    values[:10, :20], values[15:17], values[19, 0] = 1, 1, 1
    found, [note] = keep(values, ["liver"])
    assert found.sum() == 200
    assert note.startswith("liver: 2 smaller parts were removed, 61 of 261 pixels")


def test_a_name_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match=r"largest_only names 'livr', which is no class .* liver"):
        KeepLargestPartd("pred", classes={"liver": [1]}, names=["livr"])
