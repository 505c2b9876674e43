"""Tests of medseg.inference.predictor.fuse_norms."""

import pytest
import torch
from monai.networks.blocks import Convolution
from torch import nn

from medseg.inference.predictor.fuse_norms import fuse_batch_norm
from medseg.networks import TOPOLOGIES, NestedUNet

NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def trained(dims, **options):
    """A network whose batch norms have weights and statistics of their own."""
    torch.manual_seed(0)
    network = NestedUNet(dims, 1, 2, channels=(4, 6, 8), norm="batch", skip_channels=4, **options)
    network.train()
    for module in network.modules():
        if isinstance(module, NORMS):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    for _ in range(3):
        network(torch.randn(2, 1, *[16] * dims) * 3 + 1)
    return network


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_logits_stay_the_same_without_a_batch_norm(dims, topology):
    network = trained(dims, topology=topology).eval()
    fused = fuse_batch_norm(network)
    image = torch.randn(1, 1, *[32] * dims)
    assert not any(isinstance(m, NORMS) for m in fused.modules())
    with torch.no_grad():
        torch.testing.assert_close(fused(image), network(image), rtol=1e-4, atol=1e-4)


def test_the_network_itself_is_left_as_it_is():
    network = trained(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fused = fuse_batch_norm(network)
    assert network.training
    assert not fused.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert before.keys() == network.state_dict().keys()


def test_residual_units_are_folded_too():
    network = trained(2, encoder="residual").eval()
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            fuse_batch_norm(network)(image), network(image), rtol=1e-4, atol=1e-4
        )


def test_a_norm_behind_the_activation_stays():
    block = Convolution(2, 1, 4, norm="batch", act="relu", adn_ordering="AN").eval()
    nn.init.normal_(block.adn.N.bias)
    fused = fuse_batch_norm(block)
    image = torch.randn(1, 1, 8, 8)
    assert isinstance(fused.adn.N, nn.BatchNorm2d)
    with torch.no_grad():
        assert torch.equal(fused(image), block(image))


def test_instance_norm_stays():
    network = NestedUNet(2, 1, 2, channels=(4, 6, 8), norm="instance").eval()
    assert sum(isinstance(m, nn.InstanceNorm2d) for m in fuse_batch_norm(network).modules()) == sum(
        isinstance(m, nn.InstanceNorm2d) for m in network.modules()
    )


def test_a_batch_norm_that_keeps_no_statistics_stays():
    norm = ("batch", {"track_running_stats": False})
    network = NestedUNet(2, 1, 2, channels=(4, 6, 8), norm=norm).eval()
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(fuse_batch_norm(network)(image), network(image))
