"""Tests of medseg.engines.schedule.parameter_groups: parts learn later, and more slowly."""

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from medseg.engines import LearningRate
from medseg.engines.schedule.parameter_groups import group_parameters
from medseg.networks import NestedUNet
from medseg.networks.weights.parts import find_part


def train(network, *, freeze, epochs, freeze_epochs, schedule="constant", thawed_rate=1.0):
    """Two steps an epoch; the weights after each epoch."""
    groups = group_parameters(
        network, nn.Identity(), learning_rate=0.1, freeze=freeze, thawed_rate=thawed_rate
    )
    optimizer = torch.optim.SGD(groups, lr=0.1)
    rates = []

    def step(engine, batch):
        optimizer.zero_grad()
        network(batch).square().mean().backward()
        optimizer.step()
        rates.append([group["lr"] for group in optimizer.param_groups])

    trainer = Engine(step)
    LearningRate(optimizer, schedule=schedule, freeze_epochs=freeze_epochs).attach(trainer)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trainer.run([torch.rand(1, 1, 8, 8)] * 2, max_epochs=epochs)
    after = network.state_dict()
    return rates, {find_part(key) for key in after if not after[key].equal(before[key])}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NestedUNet(2, 1, 2, channels=(4, 8, 16))


def test_frozen_parts_stay_and_the_others_learn(network):
    _, learnt = train(network, freeze=["encoder", "heads"], epochs=2, freeze_epochs=2)
    assert learnt == {"decoder"}


def test_after_its_epochs_a_part_learns_at_its_own_rate(network):
    rates, learnt = train(network, freeze=["encoder"], epochs=2, freeze_epochs=1, thawed_rate=0.5)
    assert learnt == {"encoder", "decoder", "heads"}
    assert rates == [[0.1, 0.0], [0.1, 0.0], [0.1, 0.05], [0.1, 0.05]]


def test_the_schedule_holds_for_both(network):
    rates, _ = train(network, freeze=["encoder"], epochs=2, freeze_epochs=1, schedule="polynomial")
    assert [first > 0 for first, _ in rates] == [True] * 4
    assert [second for _, second in rates] == pytest.approx([0, 0, rates[2][0], rates[3][0]])


def test_without_frozen_parts_there_is_one_group(network):
    found = group_parameters(network, nn.Identity(), learning_rate=0.1)
    assert [id(tensor) for tensor in found] == [id(tensor) for tensor in network.parameters()]


def test_an_unknown_part_is_refused(network):
    with pytest.raises(ValueError, match="freeze must be one of encoder, decoder, heads"):
        group_parameters(network, nn.Identity(), learning_rate=0.1, freeze=["bottom"])
