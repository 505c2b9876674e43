"""Tests of medseg.inference.overlap_tile."""

import pytest
import torch
from torch import nn

from medseg.inference import OverlapTileInferer
from medseg.networks import NestedUNet


class Count(nn.Module):
    """Gives back its input, and keeps how often and with what it was called."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        return x


@pytest.mark.parametrize("size", [(20,), (7, 13), (5, 6, 9), (1, 4)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_voxel_is_predicted_once_and_comes_back_to_its_place(size, batch_size):
    image = torch.randn(2, 3, *size)
    inferer = OverlapTileInferer(4, halo=2, batch_size=batch_size)
    assert torch.equal(inferer(image, Count()), image)


def test_the_network_sees_the_tile_and_its_halo():
    network = Count()
    OverlapTileInferer((4, 6), halo=(2, 1))(torch.zeros(1, 1, 8, 12), network)
    assert network.shapes == [(1, 1, 8, 8)] * 4


def test_the_context_at_the_border_is_the_mirror_image():
    class First(nn.Module):
        def forward(self, x):
            return x.roll(1, -1)  # each voxel takes its left neighbour

    image = torch.arange(6.0).reshape(1, 1, 6)
    inferer = OverlapTileInferer(3, halo=1)
    assert inferer(image, First()).flatten().tolist() == [1, 0, 1, 2, 3, 4]  # left of 0 is 1


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus"])
@pytest.mark.parametrize("dims", [2, 3])
def test_tiles_equal_the_whole_image_where_the_halo_covers_the_receptive_field(topology, dims):
    """Depth 2: two 3x3 layers a node see 2 + 4 + 8 + 4 + 2 voxels; 24 keeps strides in step."""
    torch.manual_seed(0)
    network = NestedUNet(dims, 1, 2, channels=(2, 3, 4), topology=topology, norm=None).eval()
    size = (24, 20, 12)[:dims]
    image = torch.randn(1, 1, *size)
    with torch.no_grad():
        tiled = OverlapTileInferer(12, halo=24)(image, network)
        whole = OverlapTileInferer(64, halo=24)(image, network)
    assert torch.allclose(tiled, whole, atol=1e-5)


def test_without_a_halo_tiles_differ_at_their_borders():
    torch.manual_seed(0)
    network = NestedUNet(2, 1, 2, channels=(2, 3, 4), norm=None).eval()
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        assert not torch.allclose(
            OverlapTileInferer(8, halo=0)(image, network), network(image), atol=1e-6
        )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"roi_size": 0, "halo": 1}, "1 voxel or more along each axis, got 0"),
        ({"roi_size": (4, 0), "halo": 1}, r"got \(4, 0\)"),
        ({"roi_size": 4, "halo": -1}, "a halo is not negative, got -1"),
        ({"roi_size": 4, "halo": 1, "batch_size": 0}, "batch_size is 1 or more, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        OverlapTileInferer(**arguments)


def test_a_network_that_shrinks_its_input_is_refused():
    with pytest.raises(ValueError, match=r"got \(1, 1, 3, 3\) for \(1, 1, 6, 6\)"):
        OverlapTileInferer(4, halo=1)(torch.zeros(1, 1, 4, 4), nn.MaxPool2d(2))
