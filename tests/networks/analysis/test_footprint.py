"""Tests of medseg.networks.analysis.footprint."""

import pytest
import torch
from torch import nn

from medseg.networks import NestedUNet
from medseg.networks.analysis.cost import measure_peak_bytes
from medseg.networks.analysis.footprint import measure_footprint


def test_maps_count_while_they_are_needed():
    """100 voxels of 4 bytes: image 1, first map 4, second 2; the image stays to the end."""
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1)]
    assert measure_footprint(nn.Sequential(*layers), (1, 1, 10, 10)) == (7 * 400, 2)


def test_a_network_that_gives_no_tensor_is_refused():
    class Heads(nn.Conv2d):
        def forward(self, image):
            return [super().forward(image)]

    with pytest.raises(TypeError, match="must give one tensor for an image, got list: call eval"):
        measure_footprint(Heads(1, 2, 1), (1, 1, 4, 4))


def test_a_map_is_let_go_after_its_last_reader():
    layers = [nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 3, 1)]
    assert measure_footprint(nn.Sequential(*layers), (1, 1, 10, 10)).peak_bytes == (1 + 4 + 2) * 400


def test_an_activation_in_place_takes_no_memory():
    fresh = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())
    in_place = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(inplace=True))
    assert measure_footprint(fresh, (1, 1, 10, 10)).peak_bytes == 9 * 400
    assert measure_footprint(in_place, (1, 1, 10, 10)).peak_bytes == 5 * 400


@pytest.mark.parametrize("dims", [2, 3])
def test_it_grows_with_voxels_and_type(dims):
    network = NestedUNet(dims, 1, 2, channels=(4, 8, 16))
    small = measure_footprint(network, (1, 1, *[16] * dims))
    large = measure_footprint(network, (3, 1, *[32] * dims))
    half = measure_footprint(network, (1, 1, *[16] * dims), dtype=torch.bfloat16)
    # but for the statistics of instance norm, a few numbers a channel
    assert large.peak_bytes == pytest.approx(small.peak_bytes * 3 * 2**dims, rel=0.01)
    assert half.peak_bytes * 2 == pytest.approx(small.peak_bytes, rel=0.01)
    assert small.out_channels == 2


def test_a_pruned_network_needs_less():
    network = NestedUNet(2, 1, 2, channels=(4, 8, 16, 32), deep_supervision=True)
    sizes = [measure_footprint(network.prune(n), (1, 1, 32, 32)).peak_bytes for n in (1, 2, 3)]
    assert sizes == sorted(set(sizes))


def test_the_network_is_left_as_it_is():
    network = NestedUNet(2, 1, 2, channels=(4, 8, 16)).train()
    measure_footprint(network, (1, 1, 16, 16), dtype=torch.bfloat16)
    assert network.training
    assert {(p.device.type, p.dtype) for p in network.parameters()} == {("cpu", torch.float32)}


def test_a_pass_is_measured_to_take_that_much_and_no_more_than_its_workspace():
    network = NestedUNet(2, 1, 2, channels=(16, 32, 64), norm="batch").eval()
    shape = (1, 1, 512, 512)
    turns = (measure_peak_bytes(network, shape, forward=_forward) for _ in range(2))
    measured = max(turns)  # under load the system may take pages back meanwhile
    # the workspace of a convolution depends on the threads that are free
    assert 0.9 < measured / measure_footprint(network, shape).peak_bytes < 2.5


def _forward(image, network):
    return network(image)
