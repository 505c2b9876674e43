"""Tests of medseg.inference.tiles.tiling: which windows a network is given for an image."""

from functools import partial

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles.tiling import Tiling, check_windows
from medseg.inference.tiles.windows import Span
from medseg.networks import NestedUNet


@pytest.fixture
def image():
    return torch.zeros(1, 1, 100, 40)


def test_the_halo_is_the_receptive_field_of_the_network_in_whole_steps(image):
    network = nn.Conv2d(1, 1, 7, padding=3)
    layout = Tiling(roi_size=32).make_layout(image, network)
    assert layout.axes[0].spans[0].start == -3
    network.total_stride = (4, 4)
    layout = Tiling(roi_size=32).make_layout(image, network)
    assert layout.axes[0].spans[0].start == -4
    assert all(size % 4 == 0 for size in layout.size)


def test_a_halo_and_a_stride_that_are_given_need_no_network(image):
    layout = Tiling(roi_size=64, halo=8, stride=(4, 2)).make_layout(image, None)
    # 100 in three of 34, up to 36 at steps of 4, and a halo on each side; 40 and its halos at once
    assert layout.size == (52, 56)
    assert [axis.spans[0].start for axis in layout.axes] == [-8, -8]


def test_the_receptive_field_is_not_worked_out_where_one_window_holds_the_image(image):
    class Unknown(nn.Module):
        total_stride = (1, 1)

        def forward(self, x):
            raise AssertionError("the network was followed")

    layout = Tiling(roi_size=100, edge="network").make_layout(image, Unknown())
    assert (layout.count, layout.size) == (1, (100, 40))
    with pytest.raises(AssertionError, match="followed"):
        Tiling(roi_size=99, edge="network").make_layout(image, Unknown())


def test_what_lies_beyond_the_image_follows_the_mode_and_the_edge(image):
    fills = [
        Tiling(roi_size=64, halo=8, **options).make_layout(image, None).fill
        for options in ({"edge": "mirror"}, {"edge": "network"}, {"mode": "blend"})
    ]
    assert fills == ["mirror", "edge", "zero"]


@pytest.mark.parametrize("slices", [0, 1, 2, -1])
def test_windows_are_one_voxel_thick_along_the_axis_of_the_slices(slices):
    layout = Tiling(roi_size=(32, 16), halo=(4, 2), stride=2, slices=slices).make_layout(
        torch.zeros(1, 1, 40, 40, 40), None
    )
    along = slices % 3
    assert [span.start for span in layout.axes[along].spans] == list(range(40))
    assert layout.size[along] == 1
    assert [axis.spans[0].start for a, axis in enumerate(layout.axes) if a != along] == [-4, -2]


def test_slices_of_a_2d_network_have_the_halo_of_its_two_axes():
    network = NestedUNet(2, 1, 2, channels=(2, 3, 4)).eval()
    volume = torch.zeros(1, 1, 200, 6, 200)
    (near, along, far) = Tiling(roi_size=128, slices=1).make_layout(volume, network).axes
    assert near == far
    assert near.spans[0].start < 0
    assert len(along.spans) == 6


def test_the_axis_of_the_slices_is_one_of_the_image():
    assert Tiling(roi_size=4).slice_axis(3) is None
    assert Tiling(roi_size=4, slices=-1).slice_axis(3) == 2
    with pytest.raises(ValueError, match="slices must be an axis of the image, 0 to 2, got 3"):
        Tiling(roi_size=4, slices=3).slice_axis(3)


def test_a_box_keeps_the_windows_on_the_pooling_grid_of_the_image():
    image = torch.zeros(1, 1, 64)
    image[..., 30:33] = 1
    (axis,) = (
        Tiling(roi_size=64, halo=5, stride=4, edge="network", skip=0.5)
        .make_layout(image, None)
        .axes
    )
    # 30 - 5 is 25, down to 24; 33 + 5 is 38; and 14 voxels are 16 at steps of 4
    assert (axis.size, axis.spans) == (16, (Span(24, 24, 38),))


@pytest.mark.parametrize("skip", [None, lambda windows: True])
def test_without_a_number_to_exceed_windows_cover_all(skip, image):
    layout = Tiling(roi_size=128, halo=0, skip=skip).make_layout(image, None)
    assert [axis.spans for axis in layout.axes] == [(Span(0, 0, 100),), (Span(0, 0, 40),)]


@pytest.mark.parametrize("bad", [4.5, 4.0, None, True, "large", (4, None), ()])
def test_sizes_are_whole_numbers(bad):
    with pytest.raises(ValueError, match="pass whole numbers of 1 or more"):
        Tiling(roi_size=bad)


def test_sizes_may_come_from_numpy():
    layout = Tiling(roi_size=np.int64(64), halo=list(np.array([8, 8])), stride=4).make_layout(
        torch.zeros(1, 1, 100, 40), None
    )
    assert layout.size == (52, 56)


def test_slices_that_are_one_window_need_no_halo_worked_out():
    tiling = Tiling(roi_size=32, slices=2, edge="network")
    assert tiling.make_layout(torch.zeros(1, 1, 20, 32, 9), None).halo == (0, 0, 0)


@pytest.mark.parametrize("options", [{"mode": "blend"}, {"halo": 0}, {"halo": 0, "slices": 2}])
def test_windows_of_one_voxel_at_the_deepest_level_have_no_statistics(options):
    dims = 2 if "slices" in options else 3
    build = partial(NestedUNet, dims, 1, 2, channels=(4, 4, 8))
    image = torch.zeros(1, 1, 4, 4, 4)
    tiling = Tiling(roi_size=4, **options)
    with pytest.raises(ValueError, match=r"windows of 4x4x\d shrink to one voxel at the deepest"):
        tiling.make_layout(image, build(norm="instance"))
    assert tiling.make_layout(image, build(norm="batch")).size[:2] == (4, 4)
    wide = torch.zeros(1, 1, 4, 8, 4)
    assert Tiling(roi_size=8, **options).make_layout(wide, build(norm="instance")).size[1] == 8


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, stride=(1, 2))])
def test_a_strided_network_that_does_not_tell_its_stride_is_refused_where_windows_are_cropped(
    layer,
):
    image, network = torch.zeros(1, 1, 40, 40), nn.Sequential(layer, nn.Upsample(scale_factor=2))
    with pytest.raises(
        ValueError, match="a Sequential has layers of stride 2 or more and no total"
    ):
        Tiling(roi_size=16, halo=4).make_layout(image, network)
    assert Tiling(roi_size=16, halo=4, stride=2).make_layout(image, network).size == (16, 16)
    assert Tiling(roi_size=16, mode="blend").make_layout(image, network).size == (16, 16)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"roi_size": [1], "slices": 2}, "roi_size"),  # one entry for two axes
        ({"roi_size": 1, "slices": 2}, r"roi_size 1 is smaller than the network's stride \[4, 4\]"),
        ({"roi_size": [64, 3]}, r"roi_size \[64, 3\] is smaller than the network's stride"),
        ({"roi_size": [64, 30], "mode": "blend"}, r"a multiple of .* stride \[4, 4\] .*\[64, 32\]"),
        ({"roi_size": [64, 30, 2], "mode": "blend", "slices": 2}, "roi_size"),
    ],
)
def test_windows_that_fit_no_image_are_refused_before_one_is_read(arguments, said):
    network = NestedUNet(2, 1, 2, channels=(2, 4, 6))
    with pytest.raises(ValueError, match=said):
        check_windows(OverlapTileInferer(**arguments), network)


@pytest.mark.parametrize(
    "arguments",
    [
        {"roi_size": 4},
        {"roi_size": [768, 770], "slices": 2, "edge": "network"},
        {"roi_size": [64, 32], "mode": "blend"},
        {"roi_size": 2**31 - 4, "mode": "blend"},
    ],
)
def test_windows_that_fit_some_image_pass(arguments):
    check_windows(OverlapTileInferer(**arguments), NestedUNet(2, 1, 2, channels=(2, 4, 6)))


def test_an_inferer_of_another_kind_is_not_asked():
    check_windows(SlidingWindowInferer(1), NestedUNet(2, 1, 2, channels=(2, 4, 6)))
