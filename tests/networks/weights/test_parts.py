"""Tests of medseg.networks.weights.parts: each weight of a network belongs to one part."""

import pytest

from medseg.base.choices.rules import NETWORK_PARTS
from medseg.networks import NestedUNet
from medseg.networks.weights.parts import find_part


@pytest.mark.parametrize("options", [{}, {"class_guide": True}, {"encoder": "residual"}])
def test_a_network_with_deep_supervision_has_all_parts(options):
    network = NestedUNet(2, 1, 3, channels=(4, 8, 16), deep_supervision=True, **options)
    parts = {find_part(key) for key in network.state_dict()}
    assert parts == set(NETWORK_PARTS)
    heads = {key for key in network.state_dict() if find_part(key) == "heads"}
    assert {key.split(".")[1] for key in heads if ".head." in key} == {"x0_1", "x0_2"}


def test_a_network_of_timm_is_the_encoder():
    assert find_part("encoder.body.layer1.0.conv1.weight") == "encoder"
    assert find_part("nodes.x1_1.first.conv.weight") == "decoder"
