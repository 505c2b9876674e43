"""Unpadded networks lose what their kernels say, and images are mirrored as the paper draws it."""

import numpy as np
import pytest
import torch

from medseg.networks import NestedUNet
from medseg.networks.padding import (
    CentreCrop,
    check_size,
    compute_margin_below,
    count_lost_voxels,
    mirror,
)


def unpadded(channels=(2, 3, 4), **options):
    return NestedUNet(2, 1, 2, channels=channels, topology="unet", padding="valid", **options)


def test_the_original_unet_maps_572_to_388():
    channels = (64, 128, 256, 512, 1024)
    with torch.device("meta"):
        network = unpadded(channels, norm=None, bottom_dropout=0.5)
        image = torch.rand(1, 1, 572, 572)
        # figure 1: the bottom maps are 28x28, and the skips are cropped from 64, 136, 280, 568
        shapes = {}
        for key, node in network.nodes.items():
            node.register_forward_hook(lambda _, __, out, key=key: shapes.update({key: out.shape}))
        assert network(image).shape == (1, 2, 388, 388)
    assert network.margin == [92, 92]
    assert [shapes[f"x{level}_0"][2] for level in range(5)] == [568, 280, 136, 64, 28]
    assert [shapes[f"x{level}_{4 - level}"][2] for level in range(4)] == [388, 196, 100, 52]


def test_voxels_lost_grow_with_the_kernel_and_the_strides_above():
    kernels = [(3, 1), (5, 3), (3, 7)]
    assert count_lost_voxels(kernels, [(2, 3), (2, 1)]) == [[2, 0], [8, 6], [8, 18]]


def test_the_margin_is_lost_twice_above_the_bottom_and_once_there():
    lost = [[2], [4], [8], [16]]
    assert compute_margin_below(lost, level=-1) == [2 * (2 + 4 + 8) + 16]
    assert compute_margin_below(lost, level=1) == [2 * 8 + 16]
    assert compute_margin_below(lost, level=2) == [16]


def test_a_padded_network_has_no_margin():
    assert NestedUNet(3, 1, 1, channels=(2, 3, 4)).margin == [0, 0, 0]


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("channels", [(2, 3, 4), (2, 3, 4, 5)])
def test_unpadded_logits_are_those_of_a_padded_network_out_of_reach_of_its_padding(channels, norm):
    network = unpadded(channels, norm=norm).eval()
    padded = NestedUNet(2, 1, 2, channels=channels, topology="unet", norm=norm).eval()
    padded.load_state_dict(network.state_dict())
    (margin, _), depth = network.margin, len(channels) - 1
    # The unpadded pooling starts 2, 6, 14, ... voxels from the border, so its windows are those of
    # a padded network whose image starts 2 voxels earlier: 4, 8, 16, ... divide.
    size = 2 * sum(2 * 2**level for level in range(depth + 1)) + 2**depth * (depth + 4)
    image = torch.rand(1, 1, size + 2 + 6 * 2**depth, size + 2 + 6 * 2**depth)
    image = image[..., : -(image.shape[-1] % 2**depth) or None, :]
    image = image[..., : image.shape[-2]]
    logits = network(image[..., 2 : 2 + size, 2 : 2 + size])
    inner = slice(2 + margin, 2 + size - margin)
    assert logits.shape[2:] == (size - 2 * margin,) * 2
    torch.testing.assert_close(logits, padded(image)[..., inner, inner])


def test_a_volume_with_flat_kernels_loses_nothing_along_them():
    network = NestedUNet(
        3,
        1,
        1,
        channels=(2, 3, 4),
        topology="unet",
        padding="valid",
        kernel_size=[(1, 3, 3)] * 3,
        strides=[(1, 2, 2)] * 2,
    )
    assert network.margin == [0, 20, 20]
    assert network(torch.rand(1, 1, 3, 44, 48)).shape == (1, 1, 3, 4, 8)


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((570, 572), r"\(556, 572\) or \(572, 572\)"),
        ((572, 579), r"\(572, 572\) or \(572, 588\)"),
        ((1, 572), r"\(188, 572\)"),
        ((187, 189), r"\(188, 188\) or \(188, 204\)"),
    ],
)
def test_a_size_that_does_not_fit_is_refused_with_the_nearest_that_do(size, nearest):
    message = rf"of \(188, 188\) or more in steps of \(16, 16\), got .*: pass .* fits, {nearest}, "
    with torch.device("meta"):
        network = unpadded((2, 2, 2, 2, 2), norm=None)
        with pytest.raises(ValueError, match=message):
            network(torch.rand(1, 1, *size))


@pytest.mark.parametrize("size", range(44, 60))
def test_exactly_the_sizes_that_fit_pass_through_the_layers(size):
    network = unpadded()
    fits = (size - 28) % 4 == 0  # 28 = 2 * (2 + 4 + 8) are lost on the way down
    if fits:
        assert network(torch.rand(1, 1, size, size)).shape[2:] == (size - 40, size - 40)
    else:
        with pytest.raises(ValueError, match="pass the nearest that fits"):
            network(torch.rand(1, 1, size, size))


def test_the_smallest_size_leaves_a_voxel():
    check_size([44], stride=[4], margin=[20], lost=[14])
    with pytest.raises(ValueError, match=r"of \(44,\) or more"):
        check_size([40], stride=[4], margin=[20], lost=[14])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (30, 2), (44, 61)])
def test_an_image_of_any_size_is_mirrored_all_round(size):
    network = unpadded(pad_input=True, norm=None).eval()
    image = torch.rand(2, 1, *size)
    far = [20 + -(n + 12) % 4 for n in size]  # n + 40 + more = 28 + 4 * k
    pads = ((0, 0), (0, 0), *((20, each) for each in far))
    mirrored = torch.from_numpy(np.pad(image.numpy(), pads, mode="reflect"))
    whole = unpadded(norm=None).eval()
    whole.load_state_dict(network.state_dict())
    logits = network(image)
    assert logits.shape == (2, 2, *size)
    torch.testing.assert_close(logits, whole(mirrored)[..., : size[0], : size[1]])


def test_the_mirror_goes_to_and_fro_and_does_not_repeat_the_edge():
    line = torch.tensor([[[1.0, 2.0, 3.0]]])
    mirrored = mirror(line, [1], [5], [0])
    assert mirrored.flatten().tolist() == [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2]


def test_a_crop_takes_the_margin_off_each_side():
    image = torch.arange(12.0).view(1, 1, 2, 6)
    assert CentreCrop([0, 2])(image).flatten().tolist() == [2, 3, 8, 9]
