"""Tests of medseg.networks.blueprint."""

import itertools

import pytest
import torch
from networks.model_tester import assert_shapes

from medseg.networks import TOPOLOGIES, Input, NestedUNet, Node, Topology
from medseg.networks.blueprint import multiply_strides
from medseg.networks.topology import IMAGE

WIDTHS = [(2, 3, 4), (32, 64, 128, 256, 512), (35, 70, 140, 280, 560), (8, 8, 16, 4, 2, 5, 3)]


def convolution(joined, width, *, kernel=9):
    return kernel * joined * width + width


def two_convolutions(joined, width):
    return convolution(joined, width) + convolution(width, width)


def encoder_parameters(channels):
    return sum(two_convolutions(a, b) for a, b in zip((1, *channels), channels, strict=False))


def row_parameters(channels, *, inputs):
    """Nodes of a decoder whose level has `inputs(i)` of them, as their numbers of inputs."""
    total = 0
    for level, (width, below) in enumerate(itertools.pairwise(channels)):
        for count in inputs(level):
            total += convolution(below, width, kernel=4) + two_convolutions(count * width, width)
    return total


def expected_parameters(channels, *, topology, heads):
    """By the papers' equations: 3x3 convolutions, 2x2 transposed ones, 1x1 heads, each with bias.

    U-Net has one node of two inputs per level. UNet^e and UNet+ have one in each of the d - i
    columns of level i, and UNet++ has j + 1 inputs in column j.
    """
    depth = len(channels) - 1
    inputs = {
        "unet": lambda i: [2],
        "unet_e": lambda i: [2] * (depth - i),
        "unet_plus": lambda i: [2] * (depth - i),
        "unet_plusplus": lambda i: [j + 1 for j in range(1, depth - i + 1)],
    }[topology]
    total = encoder_parameters(channels) + row_parameters(channels, inputs=inputs)
    return total + heads * (channels[0] + 1)


def expected_full_scale_parameters(channels, *, skip, heads):
    """UNet 3+: level i reads i + 1 encoder maps, d - i - 1 decoder maps and the deepest map."""
    depth = len(channels) - 1
    width = skip * (depth + 1)
    total = encoder_parameters(channels)
    for level in range(depth):
        total += sum(convolution(each, skip) for each in channels[: level + 1])
        total += (depth - level - 1) * convolution(width, skip) + convolution(channels[-1], skip)
        total += convolution(width, width)
    coarse = (heads - 1) and convolution(channels[-1], 1) + (heads - 2) * convolution(width, 1)
    return total + convolution(width, 1) + coarse


def count_parameters(channels, **options):
    with torch.device("meta"):
        network = NestedUNet(2, 1, 1, channels=channels, norm=None, **options)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus", "unet_3plus"])
def test_the_shapes_are_those_of_the_network_though_the_callers_list_has_changed(topology):
    channels = [2, 4, 6]
    heads = topology != "unet"
    network = NestedUNet(
        2, 1, 3, channels=channels, topology=topology, deep_supervision=heads, skip_channels=2
    )
    channels[0] = 100
    own = {key: value.shape for key, value in network.state_dict().items()}
    assert network.blueprint.list_shapes() == own


def test_strides_multiply_axis_by_axis():
    assert multiply_strides([(1, 2, 2), (2, 2, 3)]) == (2, 4, 6)


@pytest.mark.parametrize(
    ("topology", "base", "heads", "count"),
    [
        ("unet", 32, 1, 7_759_521),
        ("unet", 35, 1, 9_282_246),
        ("unet_plusplus", 32, 1, 9_041_601),
        ("unet_plusplus", 32, 4, 9_041_700),
    ],
)
def test_the_parameter_counts_are_the_references(topology, base, heads, count):
    channels = tuple(base * 2**level for level in range(5))
    assert count_parameters(channels, topology=topology, deep_supervision=heads > 1) == count
    assert expected_parameters(channels, topology=topology, heads=heads) == count


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("deep_supervision", [False, True])
@pytest.mark.parametrize("topology", ["unet", "unet_e", "unet_plus", "unet_plusplus"])
def test_the_parameter_counts_follow_the_equations(topology, deep_supervision, channels):
    many = topology == "unet_e" or (deep_supervision and topology != "unet")
    count = count_parameters(
        channels, topology=topology, deep_supervision=deep_supervision and topology != "unet"
    )
    heads = len(channels) - 1 if many else 1
    assert count == expected_parameters(channels, topology=topology, heads=heads)


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize(("deep_supervision", "skip"), [(False, 64), (True, 64), (True, 3)])
def test_the_parameter_count_of_unet_3plus_follows_its_equation(deep_supervision, skip, channels):
    count = count_parameters(
        channels, topology="unet_3plus", deep_supervision=deep_supervision, skip_channels=skip
    )
    heads = len(channels) if deep_supervision else 1
    assert count == expected_full_scale_parameters(channels, skip=skip, heads=heads)


@pytest.mark.parametrize(("deep_supervision", "millions"), [(False, 26.97), (True, 26.99)])
def test_the_parameter_count_of_unet_3plus_is_that_of_the_paper(deep_supervision, millions):
    """Huang et al. 2020, table 1, with the VGG-like encoder, a colour image and batch norm."""
    channels = (64, 128, 256, 512, 1024)
    options = {"topology": "unet_3plus", "norm": "batch", "deep_supervision": deep_supervision}
    with torch.device("meta"):
        network = NestedUNet(2, 3, 1, channels=channels, **options)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == millions


def test_a_residual_encoder_adds_1x1_convolutions_where_the_channels_change():
    channels = (4, 4, 8)
    added = convolution(1, 4, kernel=1) + convolution(4, 8, kernel=1)
    plain, residual = (count_parameters(channels, encoder=name) for name in ("plain", "residual"))
    assert residual == plain + added


def test_a_topology_may_change_the_scale_by_several_levels(monkeypatch):
    table = {
        Node(0, 0): (Input(IMAGE, 0),),
        Node(1, 0): (Input(Node(0, 0), -1),),
        Node(2, 0): (Input(Node(1, 0), -1), Input(Node(0, 0), -2)),
        Node(0, 1): (Input(Node(0, 0), 0), Input(Node(1, 0), 1), Input(Node(2, 0), 2)),
    }
    monkeypatch.setitem(TOPOLOGIES, "wide", lambda _: Topology("wide", table, (Node(0, 1),)))
    network = NestedUNet(2, 1, 2, channels=(2, 3, 4), topology="wide", strides=[(1, 2), (3, 2)])
    assert_shapes(network, torch.rand(1, 1, 6, 8), out_channels=2)
    assert network.nodes["x0_1"].rescale[2].deconv.stride == (3, 4)


def test_a_coarse_head_is_enlarged_linearly():
    network = NestedUNet(
        2, 1, 1, channels=(2, 3, 4), deep_supervision=True, topology="unet_3plus", skip_channels=2
    ).eval()
    image, coarse = torch.rand(1, 1, 8, 8), []
    network.nodes["x1_1"].head[0].register_forward_hook(lambda _, __, out: coarse.append(out))
    logits = network.prune(1)(image)
    network(image)
    enlarged = torch.nn.functional.interpolate(coarse[0], size=(8, 8), mode="bilinear")
    torch.testing.assert_close(logits, enlarged)
