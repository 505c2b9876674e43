"""Tests of medseg.inference.predictor.cache: what is made is kept until the weights change."""

import torch
from torch import nn

from medseg.inference.predictor.cache import Remembered


def test_it_is_made_once_for_a_network_and_again_for_another():
    remembered = Remembered(lambda network: object())
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    assert remembered(one) is remembered(one)
    assert remembered(one) is not remembered(other)


def test_it_is_made_again_when_weights_or_statistics_have_changed():
    remembered = Remembered(lambda network: object())
    network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.BatchNorm1d(2))
    made = [remembered(network)]
    with torch.no_grad():
        network[0].weight += 1
    made.append(remembered(network))
    network.train()(torch.rand(2, 1, 4))
    made.append(remembered(network.eval()))
    network.load_state_dict(network.state_dict())
    made.append(remembered(network))
    assert len(set(map(id, made))) == 4
    assert remembered(network) is made[-1]


def test_a_network_made_in_inference_mode_is_remembered_too():
    remembered = Remembered(lambda network: object())
    with torch.inference_mode():
        network = nn.Linear(1, 1)
    made = remembered(network)
    assert remembered(network) is made
    with torch.inference_mode():
        network.weight = nn.Parameter(torch.zeros(1, 1), requires_grad=False)
    assert remembered(network) is not made
