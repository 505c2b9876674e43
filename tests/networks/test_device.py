"""Tests of medseg.networks.device."""

import pytest
import torch

from medseg.networks import NestedUNet, place


def test_a_network_is_moved_to_the_device():
    network = torch.nn.Linear(1, 1)
    assert place(network, "cpu") is network
    assert network.weight.device.type == "cpu"


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_refused_with_what_is(device):
    with pytest.raises(ValueError, match=rf"device '{device}' cannot be used .* machine has cpu"):
        place(torch.nn.Linear(1, 1), device)


@pytest.mark.parametrize(("norm", "last"), [("batch", True), (None, True), ("instance", False)])
@pytest.mark.parametrize(
    ("dims", "layout"), [(2, torch.channels_last), (3, torch.channels_last_3d)]
)
def test_maps_have_their_channels_last_on_a_cpu_unless_norms_take_the_window(
    norm, last, dims, layout
):
    torch.manual_seed(0)
    network = NestedUNet(dims, 1, 2, channels=(4, 8, 8), norm=norm).eval()
    image = torch.randn(1, 1, *[16] * dims)
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        before = network(image)
        after = place(network, "cpu")(image)
        with torch.autocast("cpu", torch.bfloat16):
            assert network(image).is_contiguous(memory_format=layout) is last
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0)
