"""Tests of medseg.inference.instance_output."""

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


def test_more_objects_than_a_png_numbers_are_refused_and_nothing_is_written(tmp_path):
    objects = torch.full((1, 2, 2), 65536, dtype=torch.int32)
    with pytest.raises(ValueError, match="case a has 65536 objects, a PNG numbers 65535 at most"):
        write(objects, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_volumes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 2, 2\): write volumes as NIfTI"):
        write(torch.zeros(1, 2, 2, 2), tmp_path)
