"""Tests of medseg.networks.device."""

import pytest
import torch

from medseg.networks import place


def test_a_network_is_moved_to_the_device():
    network = torch.nn.Linear(1, 1)
    assert place(network, "cpu") is network
    assert network.weight.device.type == "cpu"


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_refused_with_what_is(device):
    with pytest.raises(ValueError, match=rf"device '{device}' cannot be used .* machine has cpu"):
        place(torch.nn.Linear(1, 1), device)
