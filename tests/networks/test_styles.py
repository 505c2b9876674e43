"""Tests of medseg.networks.styles: how many channels nodes have, and what is cropped."""

import pytest
import torch

from medseg.networks import Layers
from medseg.networks.padding import CentreCrop
from medseg.networks.styles import FullScaleStyle, PlainStyle, Scale

KERNELS = [(3, 3)] * 3


@pytest.fixture
def layers():
    return Layers(spatial_dims=2, norm=None, act=None, dropout=0.0, upsample="interp")


def test_a_plain_node_has_the_channels_of_its_level(layers):
    plain = PlainStyle(layers, (4, 8, 16), KERNELS, [(0, 0)] * 3)
    assert [plain.count_channels(level) for level in range(3)] == [4, 8, 16]
    layer, channels = plain.rescale_input(Scale(16, 1, (2, 2)), 1)
    assert channels == 8
    assert layer(torch.zeros(1, 16, 5, 5)).shape == (1, 8, 10, 10)


def test_a_skip_of_unpadded_convolutions_is_cropped(layers):
    plain = PlainStyle(layers, (4, 8, 16), KERNELS, [(2, 2)] * 3)
    layer, channels = plain.rescale_input(Scale(4, 0, (1, 1)), 0)
    assert isinstance(layer, CentreCrop)
    assert channels == 4


@pytest.mark.parametrize(("residual", "count"), [(False, 2), (True, 1)])
def test_a_plain_node_convolves_twice_or_by_one_residual_unit(layers, residual, count):
    plain = PlainStyle(layers, (4, 8, 16), KERNELS, [(0, 0)] * 3, residual=residual)
    assert len(plain.make_convolutions(12, 1)) == count


def test_a_full_scale_node_has_as_many_channels_at_every_level(layers):
    full = FullScaleStyle(layers, 5, KERNELS)
    assert [full.count_channels(level) for level in range(3)] == [15, 15, 15]
    layer, channels = full.rescale_input(Scale(16, -1, (2, 2)), 1)
    assert channels == 5
    assert layer(torch.zeros(1, 16, 8, 8)).shape == (1, 5, 4, 4)
