"""Tests of medseg.transforms.channels.scale_channels: each channel is scaled by its kind."""

import pytest
import torch
from monai.data import MetaTensor

from medseg.base.channels.missing import MISSING
from medseg.transforms import ScaleChannelsd


def scale(image, windows, **known):
    names = [f"c{n}" for n in range(len(windows))]
    item = {"image": MetaTensor(torch.as_tensor(image)), **known}
    return ScaleChannelsd("image", names, windows)(item)["image"]


def test_a_window_becomes_minus_1_to_1_and_other_channels_get_mean_0_and_deviation_1():
    scaled = scale([[-160.0, 40, 240, 900], [1, 3, 1, 3]], [[-160, 240], None])
    assert scaled[0].tolist() == [-1, 0, 1, 1]
    assert scaled[1].tolist() == [-1, 1, -1, 1]


def test_channels_do_not_change_each_other():
    one = torch.rand(1, 50)
    alone = scale(one, [None])[0]
    torch.testing.assert_close(scale(torch.cat([1000 * one, one]), [None, None])[1], alone)


def test_a_missing_channel_stays_0_whatever_its_window():
    scaled = scale([[0.0, 0], [5, 7]], [[-160, 240], None], **{MISSING: "c0"})
    assert scaled[0].tolist() == [0, 0]


def test_the_image_that_was_read_is_left_as_it_is():
    image = torch.tensor([[1.0, 3.0]])
    ScaleChannelsd("image", ["a"], [None])({"image": image})
    assert image.tolist() == [[1, 3]]


def test_another_number_of_windows_and_one_that_does_not_increase_are_refused():
    with pytest.raises(ValueError, match="1 windows for the 2 channels a, b: give one for each"):
        ScaleChannelsd("image", ["a", "b"], [None])
    with pytest.raises(ValueError, match="low end"):
        ScaleChannelsd("image", ["a"], [[5, 1]])
