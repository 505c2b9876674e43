"""Build: networks of nnU-Net give one tensor, state their stride, and hold known layers alone."""

import sys

import pytest
import torch
from torch import nn

from medseg.networks import Ensemble, load_weights
from medseg.networks.nnunet.build import ARCHITECTURES, build_network, find_total_stride

pytest.importorskip("dynamic_network_architectures")


def make_options(dims=3, residual=False, **changes):
    blocks = "n_blocks_per_stage" if residual else "n_conv_per_stage"
    return {
        "n_stages": 3,
        "features_per_stage": [4, 8, 16],
        "kernel_sizes": [[3] * dims] * 3,
        "strides": [[1] * dims, [1, *[2] * (dims - 1)], [2] * dims],
        blocks: [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
        "conv_bias": True,
        "conv": f"Conv{dims}d",
        "norm": f"InstanceNorm{dims}d",
        "norm_kwargs": {"affine": True},
        "nonlinearity": "LeakyReLU",
    } | changes


def make(dims=3, residual=False, **changes):
    return build_network(
        ARCHITECTURES[residual],
        in_channels=2,
        out_channels=3,
        options=make_options(dims, residual, **changes),
    ).eval()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_it_maps_an_image_to_one_tensor_of_its_size(dims, residual):
    size = (4, 8, 8)[:dims]
    network = make(dims, residual)
    assert network(torch.zeros(1, 2, *size)).shape == (1, 3, *size)
    assert network.total_stride == (2, 4, 4)[:dims]
    assert (network.in_channels, network.pad_input, sum(network.margin)) == (2, False, 0)


def test_the_stride_is_the_product_of_those_of_all_levels():
    assert find_total_stride([[1, 1, 1], [1, 2, 2], [2, 2, 2]]) == (2, 4, 4)


def test_networks_of_several_folds_are_one_ensemble():
    ensemble = Ensemble([make(), make()], activation="none").eval()
    image = torch.rand(1, 2, 4, 8, 8)
    with torch.no_grad():
        expected = (ensemble.members[0](image) + ensemble.members[1](image)) / 2
        torch.testing.assert_close(ensemble(image), expected)
    ensemble.check_image(image)


def test_weights_of_another_network_are_refused_in_one_line():
    network = make()
    assert load_weights(network, network.state_dict()) is network
    with pytest.raises(ValueError, match="fit another network, this network is a PlainConvUNet"):
        load_weights(network, make(features_per_stage=[4, 8, 8]).state_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv": "os.system"}, "conv must be one of Conv2d, Conv3d"),
        ({"norm": "Module"}, "norm must be one of"),
        ({"nonlinearity": "Sequential"}, "nonlinearity must be one of"),
        ({"n_stages": 4}, "cannot be built of these options.*plans.json"),
        ({"unknown": 1}, "cannot be built of these options.*unknown"),
    ],
)
def test_what_no_network_of_nnunet_has_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_another_architecture_is_refused():
    with pytest.raises(ValueError, match="architecture must be one of PlainConvUNet"):
        build_network("Primus", in_channels=1, out_channels=1, options={})


def test_dropout_is_a_layer_of_the_network():
    network = make(dropout="Dropout3d", dropout_kwargs={"p": 0.5})
    assert any(isinstance(layer, nn.Dropout3d) for layer in network.modules())


def test_without_the_package_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures.architectures.unet", None)
    with pytest.raises(ImportError, match=r"pip install 'medseg\[nnunet\]'"):
        make()
