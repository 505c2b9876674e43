"""Tests of medseg.inference.outputs.instances."""

import numpy as np
import pytest
import torch
from PIL import Image

from medseg.inference import WriteInstancesd
from medseg.transforms import LabelInstancesd


def write(objects, out):
    return WriteInstancesd("instances", out)({"case": "a", "instances": objects})


def test_objects_come_back_with_their_numbers_beyond_8_bits(tmp_path):
    objects = np.arange(12, dtype=np.int32).reshape(1, 3, 4) * 100
    write(torch.from_numpy(objects), tmp_path / "new")
    read = np.asarray(Image.open(tmp_path / "new" / "a_instances.png"))
    np.testing.assert_array_equal(read, objects[0])


def test_the_pieces_of_a_label_map_are_written_apart(tmp_path):
    label = torch.tensor([[[1, 0, 1], [1, 0, 0]]], dtype=torch.uint8)
    write(LabelInstancesd("pred")({"pred": label})["instances"], tmp_path)
    read = np.asarray(Image.open(tmp_path / "a_instances.png"))
    assert read.tolist() == [[1, 0, 2], [1, 0, 0]]


def test_no_object_is_a_black_picture(tmp_path):
    write(torch.zeros(1, 2, 2, dtype=torch.int32), tmp_path)
    assert not np.asarray(Image.open(tmp_path / "a_instances.png")).any()


@pytest.mark.parametrize(("count", "name"), [(65535, "png"), (65536, "tif")])
def test_objects_are_numbered_right_as_far_as_a_png_can_and_beyond(tmp_path, count, name):
    label = torch.zeros(1, 512, 512, dtype=torch.uint8)
    label[0, ::2, ::2] = 1  # 65536 pixels, each an object
    if count == 65535:
        label[0, -2, -2] = 0
    for old in ("png", "tif"):
        (tmp_path / f"a_instances.{old}").touch()
    objects = LabelInstancesd("pred")({"pred": label})["instances"]
    write(objects, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"a_instances.{name}"]
    read = np.asarray(Image.open(tmp_path / f"a_instances.{name}"))
    expected = np.zeros((512, 512), int)
    expected[::2, ::2] = np.arange(1, 65537).reshape(256, 256)
    np.testing.assert_array_equal(read, np.where(expected <= count, expected, 0))


def test_volumes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 2, 2\): write volumes as NIfTI"):
        write(torch.zeros(1, 2, 2, 2), tmp_path)
