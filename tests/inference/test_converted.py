"""Tests of medseg.inference.converted."""

import pytest
import torch
from torch import nn

from medseg.inference import backends
from medseg.inference.converted import converted, part_concatenations
from medseg.networks import NestedUNet

pytestmark = [
    pytest.mark.openvino,
    pytest.mark.skipif(not backends.installed("openvino"), reason="openvino is not installed"),
]


def answer(model, image):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
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
    model = converted(network, image.shape)
    assert channel_joins(model) == []
    with torch.no_grad():
        torch.testing.assert_close(answer(model, image), network(image), rtol=1e-4, atol=1e-5)


class Joined(nn.Module):
    """A convolution of two maps, joined along an axis."""

    def __init__(self, axis, groups=1):
        super().__init__()
        self.axis = axis
        channels = 4 if axis == 1 else 2
        self.conv = nn.Conv2d(channels, 4, 3, stride=2, padding=1, dilation=2, groups=groups)

    def forward(self, image):
        return self.conv(torch.cat([image, image.square()], self.axis))


@pytest.mark.parametrize(
    ("axis", "groups", "parted"), [(1, 1, True), (1, 2, False), (2, 1, False), (0, 1, False)]
)
def test_only_joined_channels_of_a_plain_convolution_are_parted(axis, groups, parted):
    torch.manual_seed(0)
    network = Joined(axis, groups).eval()
    image = torch.randn(2, 2, 12, 10)
    model = converted(network, image.shape)
    joins = [node for node in model.get_ordered_ops() if node.get_type_name() == "Concat"]
    assert bool(joins) is not parted
    assert part_concatenations(model) == 0  # what could be parted is
    with torch.no_grad():
        torch.testing.assert_close(answer(model, image), network(image), rtol=1e-4, atol=1e-5)
