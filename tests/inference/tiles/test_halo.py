"""Tests of medseg.inference.tiles.halo: the halo that is given, or that a network needs."""

import pytest
from torch import nn

from medseg.inference.tiles import halo
from medseg.inference.tiles.halo import find_halo


def test_two_convolutions_of_3_reach_two_voxels():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 3, padding=1))
    assert tuple(find_halo("auto", network, in_channels=1, stride=(1, 1))) == (2, 2)


@pytest.mark.parametrize("given", [0, 8, (4, 2)])
def test_a_halo_that_is_given_is_taken_without_a_network(given):
    assert find_halo(given, None, in_channels=1, stride=(1, 1)) == given


def test_a_halo_cannot_be_found_without_a_network():
    with pytest.raises(ValueError, match="pass the halo in voxels"):
        find_halo("auto", None, in_channels=1, stride=(1, 1))


def test_the_receptive_field_is_worked_out_once_for_a_network(monkeypatch):
    asked = []
    monkeypatch.setattr(halo, "measure_receptive_field", lambda *a, **k: asked.append(a) or (1, 1))
    network, other = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
    for each in (network, network, other):
        find_halo("auto", each, in_channels=1, stride=(1, 1))
    assert [given[0] for given in asked] == [network, other]
