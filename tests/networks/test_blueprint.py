"""Tests of medseg.networks.blueprint."""

import pytest

from medseg.networks import NestedUNet
from medseg.networks.blueprint import stride_product


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus", "unet_3plus"])
def test_the_shapes_are_those_of_the_network_though_the_callers_list_has_changed(topology):
    channels = [2, 4, 6]
    heads = topology != "unet"
    network = NestedUNet(
        2, 1, 3, channels=channels, topology=topology, deep_supervision=heads, skip_channels=2
    )
    channels[0] = 100
    own = {key: value.shape for key, value in network.state_dict().items()}
    assert network.blueprint.shapes() == own


def test_strides_multiply_axis_by_axis():
    assert stride_product([(1, 2, 2), (2, 2, 3)]) == (2, 4, 6)
