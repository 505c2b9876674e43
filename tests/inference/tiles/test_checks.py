"""Tests of medseg.inference.tiles.checks: what is probably a mistake is refused or warned of."""

import logging

import pytest
import torch
from inference.tiles.small_networks import apply, small
from monai.data import MetaTensor
from torch import nn

from medseg.inference import OverlapTileInferer


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(1),
        nn.InstanceNorm2d(1, track_running_stats=True),
        nn.Dropout(0.5),
        nn.RReLU(),
    ],
)
def test_a_network_in_training_is_refused_where_it_answers_otherwise(layer):
    alike = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Dropout(0.0), nn.InstanceNorm2d(1))
    network = nn.Sequential(alike, layer)
    image = torch.randn(1, 1, 16, 16)
    assert OverlapTileInferer(16, halo=0).plan(image, network).layout.count == 1
    with pytest.raises(ValueError, match=r"the network is in training .*: call eval\(\)$"):
        apply(network, image, roi_size=16, halo=0)
    apply(network.eval(), image, roi_size=16, halo=0)
    apply(alike.train(), image, roi_size=16, halo=0)


def test_a_thick_window_over_one_voxel_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        image = MetaTensor(torch.rand(1, 1, 16, 1, 1), meta={"filename_or_obj": ["ct.nii"]})
        apply(small(3), image, roi_size=16, halo=0, edge="network")
    assert caplog.messages == [
        "the image ct.nii is one voxel thick along axis 1 and 2, where the network sees 4 and 4: "
        "all else is padding, so the result may be useless"
    ]
    caplog.clear()
    apply(small(2), torch.rand(1, 1, 16, 16, 1), roi_size=16, halo=0, slices=2)
    apply(small(2), torch.rand(1, 1, 16, 2), roi_size=16, halo=0)
    assert not caplog.messages


def test_an_image_of_one_value_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        images = torch.stack(
            [torch.rand(1, 16, 16), *torch.tensor([7.0, 8]).expand(1, 16, 16, 2).movedim(-1, 0)]
        )
        apply(small(2), images, roi_size=16, halo=0)
        named = MetaTensor(images[1:2], meta={"filename_or_obj": ["ct.nii"]})
        apply(small(2), named, roi_size=16, halo=0)
    assert caplog.messages == [
        f"the image {name} everywhere, as the network sees it: nothing can be found in it"
        for name in ("1 is 7", "2 is 8", "ct.nii is 7")
    ]


def test_an_image_of_another_type_than_the_weights_is_refused():
    network = small(2)
    with pytest.raises(ValueError, match=r"weights, torch.float32, got torch.float64: pass image"):
        apply(network, torch.zeros(1, 1, 16, 16).double(), roi_size=16, halo=0)
    answer = apply(network.double(), torch.zeros(1, 1, 16, 16).double(), roi_size=16, halo=0)
    assert answer.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.int16, torch.uint8, torch.bfloat16])
def test_images_that_are_no_floats_are_refused(dtype):
    with pytest.raises(ValueError, match=f"float32 or float64, got {dtype}: pass image.float"):
        OverlapTileInferer(4, halo=0)(torch.zeros(1, 1, 4, dtype=dtype), lambda windows: windows)
