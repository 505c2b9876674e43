"""Tests of medseg.networks.instance_norm: the sums of torch, without its copies."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from medseg.networks.instance_norm import speed_up_instance_norms

LAYERS = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
LAYOUTS = {2: torch.channels_last, 3: torch.channels_last_3d}


def make_pair(dims, **options):
    """A layer of torch with weights that matter, and the same one sped up."""
    torch.manual_seed(0)
    stock = LAYERS[dims](6, **options)
    for parameter in stock.parameters():
        nn.init.normal_(parameter)
    return stock, speed_up_instance_norms(copy.deepcopy(stock))


def make_maps(dims, *, batch=3, layout=True):
    maps = torch.randn(batch, 6, *(5, 4, 7)[:dims]) * 3 + 1
    return maps.contiguous(memory_format=LAYOUTS[dims]) if layout else maps


def count_copies(layer, maps):
    with profile(activities=[ProfilerActivity.CPU]) as record:
        layer(maps)
    return sum(event.name == "aten::copy_" for event in record.events())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients_are_those_of_torch(dims, batch, affine, last, training):
    stock, fast = (layer.train(training) for layer in make_pair(dims, affine=affine))
    maps = make_maps(dims, batch=batch, layout=last)
    answers = []
    for layer in (stock, fast):
        given = maps.clone().requires_grad_()
        result = layer(given)
        (result**3).sum().backward()
        answers.append([result, given.grad, *(weight.grad for weight in layer.parameters())])
    for expected, found in zip(*answers, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_maps_stay_channels_last_and_are_not_copied(dims):
    stock, fast = make_pair(dims, affine=True)
    maps = make_maps(dims)
    assert fast(maps).is_contiguous(memory_format=LAYOUTS[dims])
    assert count_copies(stock, maps) > 0
    assert count_copies(fast, maps) == 0


@pytest.mark.parametrize("dims", [2, 3])
def test_bfloat16_is_as_near_as_with_torch(dims):
    stock, fast = make_pair(dims, affine=True)
    maps = make_maps(dims)
    exact, half = stock(maps), maps.bfloat16()
    error = (fast(half).float() - exact).abs().max()
    assert error <= 1.5 * (stock(half).float() - exact).abs().max()


@pytest.mark.parametrize("dims", [2, 3])
def test_what_torch_refuses_is_refused(dims):
    _, fast = make_pair(dims, affine=True)
    with pytest.raises(ValueError, match="more than 1"):
        fast(torch.zeros(1, 6, *[1] * dims).contiguous(memory_format=LAYOUTS[dims]))
    with pytest.raises(ValueError, match="expected"):
        fast(torch.zeros(1, 6))


@pytest.mark.parametrize("dims", [2, 3])
def test_one_image_without_a_batch_is_normalised_as_by_torch(dims):
    stock, fast = make_pair(dims, affine=True)
    maps = make_maps(dims)[0]
    assert torch.equal(fast(maps), stock(maps))


@pytest.mark.parametrize("dims", [2, 3])
def test_graphs_hold_the_instance_norm_of_torch(dims):
    _, fast = make_pair(dims, affine=True)
    maps = make_maps(dims)
    trace = torch.jit.trace(fast, maps)
    assert "aten::instance_norm" in str(trace.graph)
    assert "aten::instance_norm" in str(torch.jit.script(fast).inlined_graph)
    program = torch.export.export(fast, (maps,))
    assert "instance_norm" in str(program.graph)
    for graph in (trace, torch.jit.script(fast), program.module()):
        torch.testing.assert_close(graph(maps), fast(maps), rtol=1e-4, atol=1e-5)


def test_layers_that_store_statistics_and_others_stay_as_they_are():
    class Own(nn.InstanceNorm2d):
        pass

    network = nn.Sequential(
        nn.InstanceNorm2d(6, track_running_stats=True),
        Own(6),
        nn.BatchNorm2d(6),
        nn.GroupNorm(2, 6),
    )
    kinds = [type(layer) for layer in network]
    assert [type(layer) for layer in speed_up_instance_norms(network)] == kinds


def test_a_layer_keeps_its_hooks_its_weights_and_its_place_and_can_be_stored():
    layer, seen = nn.InstanceNorm2d(6, affine=True), []
    layer.register_forward_hook(lambda *_: seen.append("called"))
    network = nn.Sequential(layer, layer)
    weight = layer.weight
    speed_up_instance_norms(speed_up_instance_norms(network))
    assert network[0] is network[1] is layer
    assert layer.weight is weight
    network(make_maps(2))
    assert seen == ["called"] * 2
    layer._forward_hooks.clear()
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(make_maps(2) * 0 + 1), layer(make_maps(2) * 0 + 1))
