"""Tests of medseg.inference.remembered: what is made is kept until the weights change."""

import gc
import weakref

import torch
from torch import nn

from medseg.inference.remembered import Remembered


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


def test_it_does_not_keep_the_network_alive():
    remembered = Remembered(lambda network: 1)
    network = nn.Linear(1, 1)
    remembered(network)
    alive = weakref.ref(network)
    del network
    gc.collect()
    assert alive() is None
