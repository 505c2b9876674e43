"""Tests of medseg.networks.analysis.receptive_field."""

import pytest
import torch
from torch import nn

from medseg.networks import TOPOLOGIES, NestedUNet
from medseg.networks.analysis.receptive_field import WholeWindowError, measure_receptive_field


def seen_from_outside(network, *, size, stride):
    """The same by changing one voxel after the other: an independent, slow way, along one axis."""
    torch.manual_seed(0)
    image = torch.randn(1, 1, size, stride).double()
    network = network.double()
    with torch.no_grad():
        before = network(image)
        furthest = 0
        for place in range(size // 2 - stride, size // 2 + stride):
            changed = image.clone()
            changed[:, :, place] += 1
            moved = (network(changed) != before).any(dim=1).any(dim=-1)[0]
            reached = moved.nonzero().flatten()
            furthest = max(furthest, place - int(reached.min()), int(reached.max()) - place)
    return furthest


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(1, 1, 3, padding=1)], 1),
        ([nn.Conv2d(1, 1, 7, padding=3), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1)], 4),
        ([nn.Conv2d(1, 1, 3, padding=4, dilation=4)], 4),
        ([nn.Conv2d(1, 1, 1)], 0),
    ],
)
def test_stacked_convolutions_add_up(layers, expected):
    assert measure_receptive_field(nn.Sequential(*layers), 1, stride=(1, 1)) == (expected, expected)


def test_a_u_net_of_depth_one_is_counted_by_hand():
    """Voxel 0: two 3x3 layers reach voxel 2, of cell 1; two more on the coarse grid reach cell 3,
    whose far voxel is 7; the last two layers reach 9. From voxel 1 it is voxel 3, of cell 1, and 9
    again, which is 8 away; to the left, the same mirrored."""
    depth_one = NestedUNet(2, 1, 1, channels=(2, 2, 2), norm=None, deep_supervision=True).prune(1)
    assert measure_receptive_field(depth_one, 1, stride=(2, 2)) == (9, 9)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("norm", [None, "batch"])
def test_it_is_what_changing_the_voxels_one_by_one_shows(topology, norm):
    torch.manual_seed(1)
    network = NestedUNet(
        2, 1, 2, channels=(4, 6, 8), topology=topology, norm=norm, skip_channels=4, act="prelu"
    ).eval()
    expected = seen_from_outside(network, size=96, stride=4)
    assert measure_receptive_field(network.float(), 1, stride=(4, 4))[0] == expected


def test_kernels_of_one_voxel_leave_their_axis_alone():
    network = NestedUNet(
        3, 1, 1, channels=(2, 2, 2), kernel_size=[(1, 3, 3)] * 3, strides=[(1, 2, 2)] * 2, norm=None
    )
    assert measure_receptive_field(network, 1, stride=network.total_stride) == (0, 23, 23)


@pytest.mark.parametrize("norm", ["instance", ("group", {"num_groups": 2})])
def test_statistics_of_the_window_are_left_aside(norm):
    network = NestedUNet(
        2, 1, 1, channels=(2, 2, 2), norm=norm, class_guide=True, deep_supervision=True
    )
    assert measure_receptive_field(network, 1, stride=(4, 4)) == (23, 23)
    assert network.nodes["x2_0"].guide is not None  # the network itself is as it was


def test_pruning_makes_it_smaller():
    network = NestedUNet(2, 1, 1, channels=(2, 2, 2, 2), deep_supervision=True)
    fields = [
        measure_receptive_field(p, 1, stride=p.total_stride)[0]
        for p in map(network.prune, (1, 2, 3))
    ]
    assert fields == [9, 23, 51]


def test_a_layer_that_looks_at_everything_is_named():
    class Squeeze(nn.Module):
        def forward(self, x):
            return x * x.mean(dim=(2, 3), keepdim=True)

    with pytest.raises(WholeWindowError, match="looks further than 2048 voxels along axis 0"):
        measure_receptive_field(Squeeze(), 1, stride=(1, 1))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["0.weight", "1.running_mean"])
def test_weights_that_are_not_finite_are_named(name, value):
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))
    with torch.no_grad():
        network.state_dict()[name].view(-1)[0] = value
    with pytest.raises(ValueError, match=f"'{name}' has a NaN or an infinity: load weights"):
        measure_receptive_field(network, 1, stride=(1, 1))


def test_a_batch_norm_that_keeps_no_statistics_is_left_aside():
    norm = nn.BatchNorm2d(1, track_running_stats=False)
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), norm)
    assert measure_receptive_field(network, 1, stride=(1, 1)) == (1, 1)
