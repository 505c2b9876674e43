"""TorchScript, torch.compile and torch.export agree with the network, whatever its options."""

import pytest
import torch
from networks.model_tester import assert_compiles, assert_export, assert_programs

from medseg.networks import NestedUNet

SMALL = {"channels": (2, 3, 4), "deep_supervision": True}
OPTIONS = {
    "plain": {},
    "padded": {"pad_input": True},
    "residual": {"encoder": "residual", "upsample": "interp", "bottom_dropout": 0.5},
    "checkpointing": {"topology": "unet_plus", "checkpointing": True},
    "ensemble": {"topology": "unet_e", "deep_supervision": False},
    "guided": {"topology": "unet_3plus", "skip_channels": 2, "class_guide": True},
    "valid": {"topology": "unet", "deep_supervision": False, "padding": "valid"},
    "mirrored": {
        "topology": "unet",
        "deep_supervision": False,
        "padding": "valid",
        "pad_input": True,
    },
}
PROGRAMS = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())


def sizes(options):
    """Two sizes that fit the options, of images that differ in every axis."""
    if options.get("pad_input"):
        return (15, 13), (21, 34)
    if options.get("padding") == "valid":
        return (44, 48), (52, 60)  # the fitting ones: 2 * (2 + 4 + 8) + 4 * n, above 2 * 20
    return (16, 12), (8, 20)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@PROGRAMS
def test_script_and_trace_give_the_same_logits(options):
    network = NestedUNet(2, 1, 2, **(SMALL | options)).eval()
    size, other = sizes(options)
    lowest = network.prune(min(network.topology.levels))
    for model in (network, lowest):
        assert_programs(model, torch.rand(1, 1, *size), torch.rand(2, 1, *other))


def test_a_volume_network_and_a_pruned_one_export_too():
    network = NestedUNet(3, 1, 2, **SMALL)
    for model in (network, network.prune(1)):
        assert_export(model, torch.rand(1, 1, 8, 8, 12), torch.rand(1, 1, 12, 16, 8))


@pytest.mark.long
@PROGRAMS
def test_compile_needs_no_graph_break(options):
    network = NestedUNet(2, 1, 2, **(SMALL | options | {"bottom_dropout": 0.0}))
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # the two calls that are compared draw one after the other
    assert_compiles(network, torch.rand(2, 1, *sizes(options)[0]))
