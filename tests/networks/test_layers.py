"""The layer factory builds the same layers in 2D and in 3D."""

import re

import pytest
import torch
from torch import nn

from medseg.networks import Layers


def make(spatial_dims=3, **options):
    defaults = {"norm": None, "act": "relu", "dropout": 0.0, "upsample": "deconv"}
    return Layers(spatial_dims=spatial_dims, **(defaults | options))


def kinds(module):
    return [type(layer).__name__ for layer in module.modules() if not list(layer.children())]


@pytest.mark.parametrize("dims", [2, 3])
def test_convolution_is_followed_by_norm_dropout_and_activation(dims):
    layer = make(dims, norm="batch", dropout=0.5).make_convolution(1, 4, kernel=(3,) * dims)
    assert kinds(layer) == [f"Conv{dims}d", f"BatchNorm{dims}d", "Dropout", "ReLU"]


def test_what_is_not_asked_for_is_not_built():
    assert kinds(make(act=None).make_convolution(1, 4, kernel=(3, 3, 3))) == ["Conv3d"]


@pytest.mark.parametrize("kernel", [(1, 3, 3), (5, 1, 7), (3, 3, 3)])
def test_an_odd_kernel_keeps_the_size(kernel):
    image = torch.rand(1, 2, 6, 7, 8)
    assert make().make_convolution(2, 3, kernel=kernel)(image).shape == (1, 3, 6, 7, 8)


def test_an_unpadded_convolution_loses_its_kernel_less_one():
    image = torch.rand(1, 2, 6, 7, 8)
    layer = make(padding="valid").make_convolution(2, 3, kernel=(1, 3, 5))
    assert layer(image).shape == (1, 3, 6, 5, 4)


def test_a_residual_unit_adds_its_input():
    unit = make(2).make_residual(3, 3, kernel=(1, 3))
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    image = torch.rand(1, 3, 4, 5)
    assert torch.equal(unit(image), image)


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("act", [None, "relu"])
def test_a_residual_unit_takes_any_norm_and_activation(norm, act):
    unit = make(3, norm=norm, act=act).make_residual(2, 4, kernel=(1, 3, 3))
    assert unit(torch.rand(2, 2, 3, 4, 5)).shape == (2, 4, 3, 4, 5)
    assert ("BatchNorm3d" in kinds(unit)) == (norm is not None)
    assert ("ReLU" in kinds(unit)) == (act is not None)


@pytest.mark.parametrize(("kernel", "weights"), [(1, 8), ((1, 3), 24), ((3, 3), 72)])
def test_a_head_is_a_bare_convolution_that_keeps_the_size(kernel, weights):
    head = make(2).make_head(4, 2, kernel=kernel)
    assert kinds(head) == ["Conv2d"]
    assert head.weight.numel() == weights
    assert head(torch.rand(1, 4, 5, 6)).shape == (1, 2, 5, 6)


def test_enlarge_is_linear_and_has_no_weights():
    enlarge = make(2).make_enlargement((1, 2))
    assert list(enlarge.parameters()) == []
    assert enlarge(torch.tensor([[[[0.0, 4.0]]]])).flatten().tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("upsample", ["deconv", "interp"])
@pytest.mark.parametrize("factor", [(2, 2, 2), (1, 2, 2), (3, 1, 4)])
def test_up_undoes_the_size_of_pool(upsample, factor):
    layers = make(upsample=upsample)
    image = torch.rand(1, 4, 6, 4, 8)
    pooled = layers.pool(factor)(image)
    assert layers.make_upscale(4, 2, factor=factor)(pooled).shape == (1, 2, 6, 4, 8)


def test_deconv_has_a_kernel_equal_to_its_stride():
    (layer,) = make(2).make_upscale(4, 2, factor=(1, 3)).children()
    assert isinstance(layer, nn.ConvTranspose2d)
    assert layer.kernel_size == layer.stride == (1, 3)


def test_interp_is_linear_and_maps_the_channels_first():
    layers = make(2, upsample="interp")
    convolution, enlarge = layers.make_upscale(1, 1, factor=(1, 2)).children()
    assert kinds(convolution) == ["Conv2d"]
    # areas aligned: samples of 0, 4 at twice the density sit at -1/4, 1/4, 3/4, 5/4
    assert enlarge(torch.tensor([[[[0.0, 4.0]]]])).flatten().tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("rise", "kind", "channels"),
    [(1, "ConvTranspose2d", 2), (0, "Identity", 4), (-1, "MaxPool2d", 4)],
)
def test_rescale_follows_the_sign_of_the_rise(rise, kind, channels):
    layer = make(2).rescale(4, 2, rise=rise, factor=(2, 2))
    assert kinds(layer) == [kind]
    assert layer(torch.rand(1, 4, 4, 4)).shape[1] == channels


def test_per_level_spells_out_every_axis():
    layers = make(3)
    assert layers.expand_per_level(2, 2, name="strides") == ((2, 2, 2), (2, 2, 2))
    assert layers.expand_per_level([[1, 2, 2], 3], 2, name="strides") == ((1, 2, 2), (3, 3, 3))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([2, 2, 2], "strides needs one integer or 2 entries .* got 3 in"),
        ([[2, 2], 2], r"a positive integer or 3 of them, got .*: for instance \(1, 2, 2\)"),
        (0, "a positive integer or 3 of them, got 0"),
    ],
)
def test_per_level_refuses_other_lengths_and_values(value, message):
    with pytest.raises(ValueError, match=message):
        make(3).expand_per_level(value, 2, name="strides")


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match=r"kernel_size must be odd .* got \(2, 3\): use 1, 3, 5"):
        make(2).make_convolution(1, 1, kernel=(2, 3))


@pytest.mark.parametrize("dims", [4, 2.0, "2"])
def test_other_dimensions_are_refused(dims):
    with pytest.raises(ValueError, match=f"spatial_dims must be 2 or 3, got {dims!r}"):
        make(dims)


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="upsample must be one of deconv, interp, got 'nearest'"):
        make(upsample="nearest")


def test_other_paddings_are_refused():
    with pytest.raises(ValueError, match="padding must be one of same, valid, got 'reflect'"):
        make(padding="reflect")


@pytest.mark.parametrize("value", [0, 0.0, 0.5, "alphadropout", ("dropout", {"p": 0.3})])
def test_a_dropout_is_a_probability_or_a_layer(value):
    layer = make(dropout=value).make_convolution(1, 4, kernel=(3, 3, 3))
    assert any("Dropout" in kind for kind in kinds(layer)) == (value != 0)


@pytest.mark.parametrize("value", [1.0, 1, 2.0, -1, -0.1, float("nan")])
def test_a_dropout_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=rf"^dropout must be in \[0, 1\), got {value}: pass"):
        make(dropout=value)


@pytest.mark.parametrize("value", [True, False])
def test_a_dropout_that_is_true_or_false_is_refused(value):
    with pytest.raises(
        TypeError, match=rf"^dropout must be a number in \[0, 1\), got {value}: pass"
    ):
        make(dropout=value)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"norm": ("group", {"num_groups": 4})},
        {"norm": ["group", {"num_groups": 4}]},
        {"norm": ("instance", {"affine": True}), "act": "prelu"},
        {"act": ("leakyrelu", {"negative_slope": 0.1})},
    ],
)
def test_layers_by_name_or_name_and_arguments_are_built(dims, options):
    layer = make(dims, **options).make_convolution(1, 8, kernel=(3,) * dims)
    assert layer(torch.rand(2, 1, *(4,) * dims)).shape[1] == 8


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("norm", "foo", "Unsupported option 'FOO'"),
        ("norm", ("batch", {"foo": 1}), "unexpected keyword argument 'foo'"),
        ("norm", "group", "'num_groups'"),
        ("act", "foo", "'FOO'"),
        ("act", ("relu", {"foo": 1}), "unexpected keyword argument 'foo'"),
        ("dropout", "0.5", "Unsupported option '0.5'"),
        ("dropout", ("dropout", {"p": 2}), "between 0 and 1, but got 2"),
    ],
)
def test_a_layer_that_cannot_be_built_is_refused_in_one_line(name, value, reason):
    message = (
        rf"^{name} must be .* got {re.escape(repr(value))} \(.*{reason}.*\): pass for instance"
    )
    with pytest.raises(ValueError, match=message) as caught:
        make(**{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [3, True, [], ["relu"], ("relu", 1), {"relu": {}}])
@pytest.mark.parametrize("name", ["norm", "act"])
def test_a_layer_of_another_type_is_refused_in_one_line(name, value):
    message = rf"^{name} must be .* got {re.escape(repr(value))} \(.*\): pass for instance"
    with pytest.raises(TypeError, match=message) as caught:
        make(**{name: value})
    assert "\n" not in str(caught.value)


def test_checking_the_options_leaves_the_random_numbers_alone():
    state = torch.random.get_rng_state()
    make(norm=("instance", {"affine": True}), act="prelu", dropout=0.5)
    assert torch.equal(torch.random.get_rng_state(), state)
