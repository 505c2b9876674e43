"""Tests of medseg.losses.deep_supervision: one loss for every choice of head weights."""

import pytest
import torch
from monai.bundle import ConfigParser
from monai.losses import DeepSupervisionLoss, DiceLoss

from medseg.losses import (
    HybridLoss,
    LearnedWeightsLoss,
    WeightedTargetLoss,
    deep_supervision,
    make_head_weights,
)
from medseg.networks import NestedUNet


def network(*, supervised=True):
    return NestedUNet(2, 1, 3, channels=(2, 3, 4, 5), deep_supervision=supervised)


def heads_and_target():
    generator = torch.Generator().manual_seed(0)
    heads = [torch.randn(2, 3, 8, 8, generator=generator) for _ in range(3)]
    return heads, torch.randint(0, 3, (2, 1, 8, 8), generator=generator)


@pytest.mark.parametrize("weights", ["equal", "decaying", [1, 0.5, 0.25]])
def test_fixed_weights_are_those_of_monai_s_class(weights):
    loss = deep_supervision(HybridLoss(), weights, network=network())
    assert type(loss) is DeepSupervisionLoss
    assert not list(loss.parameters())
    heads, target = heads_and_target()
    expected = sum(
        weight * HybridLoss()(head, target)
        for weight, head in zip(make_head_weights(weights, network()), heads, strict=True)
    )
    torch.testing.assert_close(loss(heads, target), expected)


def test_learned_weights_are_one_parameter_for_each_head():
    loss = deep_supervision(HybridLoss(), "learned", network=network())
    assert type(loss) is LearnedWeightsLoss
    assert [tuple(parameter.shape) for parameter in loss.parameters()] == [(3,)]


def test_a_minimum_is_for_a_loss_that_does_not_state_its_own():
    loss = deep_supervision(DiceLoss(), "learned", network=network(), minimum=0.0)
    assert loss.minimum == 0
    with pytest.raises(ValueError, match="DiceLoss does not state it"):
        deep_supervision(DiceLoss(), "learned", network=network())


@pytest.mark.parametrize("weights", ["equal", "decaying", "learned", [1.0] * 4])
def test_without_deep_supervision_it_is_the_loss_itself(weights):
    loss = HybridLoss()
    assert deep_supervision(loss, weights, network=network(supervised=False)) is loss


def test_what_head_weights_refuses_is_refused():
    with pytest.raises(ValueError, match="got 2 for 3 heads"):
        deep_supervision(HybridLoss(), [1, 1], network=network())
    with pytest.raises(TypeError, match="a name or a list of numbers, got None"):
        deep_supervision(HybridLoss(), None, network=network())
    for supervised in (True, False):
        with pytest.raises(ValueError, match="got 'leanred': choose one"):
            deep_supervision(HybridLoss(), "leanred", network=network(supervised=supervised))


@pytest.mark.parametrize("weights", ["decaying", "learned"])
def test_weights_of_voxels_reach_every_head(weights):
    heads, target = heads_and_target()
    loss = deep_supervision(WeightedTargetLoss(HybridLoss()), weights, network=network())
    plain = deep_supervision(HybridLoss(), weights, network=network())
    ones, fives = (torch.full((2, 1, 8, 8), value) for value in (1.0, 5.0))
    with torch.no_grad():
        one, five = (loss(heads, torch.cat([target.float(), w], 1)) for w in (ones, fives))
        torch.testing.assert_close(one, plain(heads, target))
        assert five > one


def test_a_step_of_the_optimiser_trains_the_network_and_its_weights():
    net = network().train()
    loss = deep_supervision(HybridLoss(), "learned", network=net)
    optimizer = torch.optim.Adam([*net.parameters(), *loss.parameters()], lr=0.01)
    image, target = torch.rand(2, 1, 16, 16), torch.randint(0, 3, (2, 1, 16, 16))
    before = [parameter.detach().clone() for parameter in net.parameters()]
    loss(net(image), target).backward()
    optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    assert any(moved)
    assert 1 not in loss.weights


def test_a_config_builds_the_loss_and_lists_its_parameters():
    parser = ConfigParser(
        {
            "head_weights": "learned",
            "network": {
                "_target_": "medseg.networks.NestedUNet",
                "spatial_dims": 2,
                "in_channels": 1,
                "out_channels": 3,
                "channels": [2, 3, 4],
                "deep_supervision": True,
            },
            "loss": {
                "_target_": "medseg.losses.deep_supervision",
                "loss": {"_target_": "medseg.losses.HybridLoss"},
                "weights": "@head_weights",
                "network": "@network",
            },
            "parameters": "$[*@network.parameters(), *@loss.parameters()]",
        }
    )
    loss, parameters = parser.get_parsed_content("loss"), parser.get_parsed_content("parameters")
    assert loss.weights == [1, 1]
    assert parameters[-1] is loss.log_scales
