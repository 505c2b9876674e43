"""A network that cannot be built is refused in one line, with the option and the remedy."""

import re

import pytest

from medseg.networks import NestedUNet

DEFAULTS = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": (2, 3, 4)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (2, 3)}, r"depth must be 2 to 6, got 1 from channels \(2, 3\): give 3 to 7"),
        ({"channels": (2,) * 8}, "depth must be 2 to 6, got 7"),
        (
            {"channels": (2, 0, 4)},
            r"channel counts must be positive, .* channels \(2, 0, 4\): use 1",
        ),
        ({"in_channels": 0}, "channel counts must be positive, got in_channels 0"),
        ({"out_channels": -1}, "out_channels -1, .*: use 1 or more"),
        ({"skip_channels": 0}, "skip_channels 0, .*: use 1 or more"),
        ({"topology": "vnet"}, "one of unet, unet_e, unet_plus, unet_plusplus, unet_3plus, got"),
        (
            {"topology": "unet", "deep_supervision": True},
            r"unet has X\(0,2\) only: .* \(unet_e, unet_plus, unet_plusplus, unet_3plus\)",
        ),
        ({"upsample": "nearest"}, "upsample must be one of deconv, interp"),
        ({"spatial_dims": 1}, "spatial_dims must be 2 or 3, got 1"),
        ({"strides": (2, 2, 2)}, "strides needs one integer or 2 entries"),
        ({"kernel_size": (3, 3)}, "kernel_size needs one integer or 3 entries"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
        ({"kernel_size": 4, "encoder": "residual"}, "kernel_size must be odd"),
        ({"bottom_dropout": 1.0}, r"bottom_dropout must be in \[0, 1\), got 1.0: pass"),
        ({"bottom_dropout": -0.1}, r"bottom_dropout must be in \[0, 1\), got -0.1: pass"),
        ({"class_guide": True}, "class_guide needs .* got deep_supervision False: pass"),
        ({"padding": "reflect"}, "padding must be one of same, valid, got 'reflect': choose"),
        (
            {"padding": "valid"},
            "padding 'valid' .* got topology 'unet_plusplus' and .*: pass topology 'unet'",
        ),
        (
            {"padding": "valid", "topology": "unet", "encoder": "residual"},
            "got topology 'unet' and encoder 'residual': pass .* encoder 'plain'",
        ),
        ({"encoder": "resnet18"}, "one of plain, residual, timm/<name>, got 'resnet18': choose"),
        ({"encoder_weights": "a.pth"}, "weights need an encoder of timm, got encoder 'plain'"),
        (
            {"encoder": "timm/resnet18", "spatial_dims": 3},
            "need 2D images, got spatial_dims 3 with 'timm/resnet18': pass spatial_dims 2",
        ),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        NestedUNet(**(DEFAULTS | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [2.0, True, "2", None, [2, 2.0], [[2, True], 2]])
@pytest.mark.parametrize("name", ["strides", "kernel_size", "channels"])
def test_an_option_of_another_type_is_refused_by_its_name(name, value):
    with pytest.raises(TypeError, match=rf"^{name} must be .* got .*: pass for instance") as caught:
        NestedUNet(**(DEFAULTS | {name: value}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1.0, True, "1", None])
@pytest.mark.parametrize("name", ["in_channels", "out_channels", "skip_channels"])
def test_a_number_of_channels_that_is_no_integer_is_refused(name, value):
    with pytest.raises(TypeError, match=rf"{name} must be an integer, got {value!r}"):
        NestedUNet(**(DEFAULTS | {name: value}))


@pytest.mark.parametrize("name", ["deep_supervision", "class_guide", "pad_input", "checkpointing"])
def test_a_flag_written_as_text_is_refused(name):
    with pytest.raises(TypeError, match=rf"{name} must be True or False, got 'false'"):
        NestedUNet(**(DEFAULTS | {name: "false"}))


@pytest.mark.parametrize("value", ["0.5", True, None])
def test_a_dropout_that_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=rf"bottom_dropout must be a number .* got {value!r}: pass"):
        NestedUNet(**DEFAULTS, bottom_dropout=value)


def test_an_encoder_that_is_no_text_is_refused():
    with pytest.raises(
        TypeError, match="encoder must be text, got None: pass for instance 'plain'"
    ):
        NestedUNet(**DEFAULTS, encoder=None)


@pytest.mark.parametrize("value", [["unet"], None, 1])
def test_a_topology_that_is_no_text_is_refused(value):
    message = rf"topology must be text, got {re.escape(repr(value))}: pass for instance"
    with pytest.raises(TypeError, match=message):
        NestedUNet(**DEFAULTS, topology=value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0: pass"),
        ({"norm": "foo"}, r"norm must be .* got 'foo' \(.*\): pass for instance \('group',"),
        ({"act": "foo"}, r"act must be .* got 'foo' \(.*\): pass for instance 'relu'"),
    ],
)
def test_the_layers_of_a_network_are_refused_by_their_option(options, message):
    with pytest.raises(ValueError, match=rf"^{message}") as caught:
        NestedUNet(**(DEFAULTS | options))
    assert "\n" not in str(caught.value)
