"""Architecture: known networks and layers by name, numbers for all else."""

import pytest
from bundles.nnunet.models import make_configuration

from medseg.bundles.nnunet.architecture import find_architecture


def change(configuration, **arguments):
    configuration["architecture"]["arch_kwargs"] |= arguments
    return configuration


@pytest.mark.parametrize("name", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_the_network_and_its_layers_are_found(name):
    found, options = find_architecture(make_configuration(architecture=name))
    assert found == name
    assert (options["conv"], options["norm"], options["nonlinearity"]) == (
        "Conv3d",
        "InstanceNorm3d",
        "LeakyReLU",
    )
    assert options["dropout"] is None
    assert options["norm_kwargs"] == {"eps": 1e-5, "affine": True}


def test_plans_without_a_section_give_the_same_network():
    new = make_configuration()
    arguments = new.pop("architecture")["arch_kwargs"]
    old = new | {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": arguments["n_conv_per_stage"],
        "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
        "conv_kernel_sizes": arguments["kernel_sizes"],
        "pool_op_kernel_sizes": arguments["strides"],
    }
    assert find_architecture(old) == find_architecture(make_configuration())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conv_op": "os.system"}, "names the layer 'os.system'"),
        ({"conv_op": "evil.Conv3d"}, "names the layer 'evil.Conv3d'"),
        ({"norm_op": "torch.nn.Module"}, "names the layer 'torch.nn.Module'"),
        ({"n_stages": "__import__('os')"}, "it must be made of numbers"),
        ({"block": "BottleneckD"}, "gives the network 'block'"),
        ({"nonlin_kwargs": {"inplace": "x"}}, "nonlin_kwargs.inplace 'x'"),
    ],
)
def test_a_name_never_becomes_code(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_architecture(change(make_configuration(), **arguments))


def test_another_network_is_refused_by_its_name():
    configuration = make_configuration()
    configuration["architecture"]["network_class_name"] = "my.own.Primus"
    with pytest.raises(ValueError, match=r"the network 'my.own.Primus'"):
        find_architecture(configuration)
