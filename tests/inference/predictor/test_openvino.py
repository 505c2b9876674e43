"""Tests of medseg.inference.predictor.openvino."""

import pytest
import torch
from torch import nn

from medseg.inference.predictor import backends
from medseg.inference.predictor.openvino import convert, split_concatenations
from medseg.networks import NestedUNet

pytestmark = [
    pytest.mark.openvino,
    pytest.mark.skipif(not backends.is_installed("openvino"), reason="openvino is not installed"),
]


def answer(model, image, precision="f32"):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision}
    (logits,) = openvino.compile_model(model, "CPU", settings)(image.numpy()).values()
    return torch.from_numpy(logits)


def channel_joins(model):
    return [
        node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Concat" and node.get_attributes()["axis"] == 1
    ]


@pytest.mark.parametrize("topology", ["unet_plusplus", "unet_3plus"])
@pytest.mark.parametrize("norm", [None, "batch", "instance"])
@pytest.mark.parametrize("dims", [2, 3])
def test_maps_are_never_joined_and_the_logits_are_those_of_the_network(dims, norm, topology):
    torch.manual_seed(0)
    network = NestedUNet(dims, 2, 3, channels=(4, 6, 8), norm=norm, topology=topology)
    if norm == "batch":
        network(torch.randn(3, 2, *[16] * dims))  # statistics other than 0 and 1
    network.eval()
    image = torch.randn(2, 2, *(24, 16, 16)[:dims])
    model = convert(network, image.shape)
    assert channel_joins(model) == []
    with torch.no_grad():
        torch.testing.assert_close(answer(model, image), network(image), rtol=1e-4, atol=1e-5)


class Joined(nn.Module):
    """A convolution of two maps, joined along an axis."""

    def __init__(self, axis, groups=1):
        super().__init__()
        self.axis = axis
        channels = 4 if axis in (1, -3) else 2
        self.conv = nn.Conv2d(channels, 4, 3, stride=2, padding=1, dilation=2, groups=groups)

    def forward(self, image):
        return self.conv(torch.cat([image, image.square()], self.axis))


@pytest.mark.parametrize(
    ("axis", "groups", "parted"),
    [(1, 1, True), (-3, 1, True), (1, 2, False), (2, 1, False), (0, 1, False)],
)
def test_only_joined_channels_of_a_plain_convolution_are_parted(axis, groups, parted):
    torch.manual_seed(0)
    network = Joined(axis, groups).eval()
    image = torch.randn(2, 2, 12, 10)
    model = convert(network, image.shape)
    joins = [node for node in model.get_ordered_ops() if node.get_type_name() == "Concat"]
    assert bool(joins) is not parted
    assert split_concatenations(model) == 0  # what could be parted is
    with torch.no_grad():
        torch.testing.assert_close(answer(model, image), network(image), rtol=1e-4, atol=1e-5)


class Nested(nn.Module):
    """Maps that are joined and then joined with another, for two convolutions or for one."""

    def __init__(self, also_read):
        super().__init__()
        self.first, self.second = nn.Conv2d(6, 2, 3, padding=1), nn.Conv2d(6, 2, 1)
        self.also_read = also_read

    def forward(self, image):
        joined = torch.cat([torch.cat([image, image.square()], 1), image.sin()], 1)
        rest = joined.relu()[:, :2] if self.also_read else self.second(joined)
        return self.first(joined) + rest


@pytest.mark.parametrize("also_read", [False, True])
def test_what_is_joined_twice_is_parted_unless_something_else_reads_it(also_read):
    torch.manual_seed(0)
    network = Nested(also_read).eval()
    image = torch.randn(1, 2, 9, 8)
    model = convert(network, image.shape)
    assert bool(channel_joins(model)) is also_read
    with torch.no_grad():
        torch.testing.assert_close(answer(model, image), network(image), rtol=1e-4, atol=1e-5)


def test_a_network_with_one_stride_for_all_axes_is_converted():
    network = nn.Conv2d(1, 2, 3, padding=1).eval()
    network.total_stride = 4
    image = torch.randn(1, 1, 8, 8)
    with torch.no_grad():
        expected = network(image)
    torch.testing.assert_close(answer(convert(network, image.shape), image), expected)


def test_parting_adds_little_to_the_rounding_of_bfloat16(monkeypatch):
    torch.manual_seed(0)
    network = NestedUNet(2, 1, 3, channels=(16, 16, 32, 32), norm="batch")
    network(torch.randn(4, 1, 32, 32))
    network.eval()
    image = torch.randn(1, 1, 64, 64)
    parted = answer(convert(network, image.shape), image, "bf16")
    monkeypatch.setattr("medseg.inference.predictor.openvino.split_concatenations", lambda model: 0)
    joined = answer(convert(network, image.shape), image, "bf16")
    with torch.no_grad():
        expected = network(image)
    errors = [(found - expected).square().mean().sqrt() for found in (parted, joined)]
    assert errors[0] < 1.5 * errors[1] + 1e-5
