"""The class guide tells which classes are present, and silences the others in eval only."""

import math

import pytest
import torch

from medseg.networks import Layers, NestedUNet
from medseg.networks.class_guide import ABSENT, ClassGuide, suppress_absent

FOREGROUND = {1: 1, 2: 1, 4: 3}


def make(out_channels=3, *, topology="unet_3plus", dims=2, **options):
    defaults = {"channels": (2, 3, 4), "deep_supervision": True, "skip_channels": 2}
    options = defaults | {"topology": topology, "class_guide": True} | options
    return NestedUNet(dims, 1, out_channels, **options)


def answer(network, *logits):
    """Make the guide give these presence logits, whatever the image."""
    guide = network.nodes["x2_0"].guide
    torch.nn.init.zeros_(guide.conv.weight)
    with torch.no_grad():
        guide.conv.bias.copy_(torch.tensor(logits))
    return network


def presence(*logits):
    return torch.tensor(logits).view(1, len(logits), 1, 1)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("out_channels", FOREGROUND)
def test_training_appends_the_presence_logits_to_the_heads(dims, out_channels):
    network = make(out_channels, dims=dims).train()
    *heads, last = network(torch.rand(2, 1, *(8,) * dims))
    assert len(heads) == len(network.topology.heads)
    assert last.shape == (2, FOREGROUND[out_channels], *(1,) * dims)


def test_the_presence_logit_is_the_largest_over_the_deepest_map():
    layers = Layers(spatial_dims=2, norm=None, act=None, dropout=0.0, upsample="deconv")
    guide = ClassGuide(layers, in_channels=2, out_channels=2).eval()
    with torch.no_grad():
        guide.conv.weight.copy_(torch.tensor([1.0, -2.0]).view(1, 2, 1, 1))
        guide.conv.bias.fill_(0.5)
    deepest = torch.tensor([[[[1.0, 5.0]], [[0.0, 3.0]]]])  # 1 - 0 + 0.5 and 5 - 6 + 0.5
    assert guide(deepest).flatten().tolist() == [1.5]


def test_heads_in_training_are_not_silenced():
    network = answer(make().train(), -5.0, -5.0)
    *heads, _ = network(torch.rand(1, 1, 8, 8))
    assert all((head > ABSENT).all() for head in heads)


def test_eval_silences_the_classes_that_are_not_present():
    network, image = make().eval(), torch.rand(1, 1, 8, 8)
    free = answer(network, 1.0, 1.0)(image)
    assert (free > ABSENT).all()
    for logits, silent in (((1.0, -1.0), [2]), ((-1.0, 1.0), [1]), ((0.0, -3.0), [1, 2])):
        expected = free.clone()
        expected[:, silent] = ABSENT
        assert torch.equal(answer(network, *logits)(image), expected)


def test_a_single_channel_is_silenced_as_a_whole():
    network = answer(make(1).eval(), -1.0)
    assert torch.equal(network(torch.rand(1, 1, 8, 8)), torch.full((1, 1, 8, 8), ABSENT))


def test_each_case_of_a_batch_is_judged_by_itself():
    logits = torch.zeros(2, 2, 1, 1)
    each = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    assert suppress_absent(logits, each).flatten().tolist() == [0, 0, 0, ABSENT]


@pytest.mark.parametrize(("logit", "silent"), [(1e-6, False), (0.0, True), (math.nan, True)])
def test_a_class_is_present_above_zero_only(logit, silent):
    gated = suppress_absent(torch.zeros(1, 1, 1, 1), presence(logit))
    assert (gated.item() == ABSENT) == silent


def test_the_silent_logit_is_finite_in_half_precision():
    gated = suppress_absent(torch.zeros(1, 1, 1, 1, dtype=torch.float16), presence(-1.0))
    assert gated.isfinite().all()
    assert gated.sigmoid().item() == 0


def test_the_guide_learns_from_the_presence_logits():
    network = make()
    network.train()(torch.rand(2, 1, 8, 8))[-1].sum().backward()
    assert network.nodes["x2_0"].guide.conv.weight.grad.abs().sum() > 0
    assert network.nodes["x0_0"].first.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("out_channels", "foreground"), FOREGROUND.items())
def test_the_guide_has_a_weight_per_deep_channel_and_class(out_channels, foreground):
    def count(**options):
        return sum(p.numel() for p in make(out_channels, **options).parameters())

    assert count() - count(class_guide=False) == foreground * (4 + 1)


@pytest.mark.parametrize(("topology", "kept"), [("unet_plusplus", False), ("unet_3plus", True)])
def test_pruning_drops_the_guide_with_the_deepest_node(topology, kept):
    network = make(topology=topology)
    for part in (network.prune(1), make(topology=topology, level=1)):
        keys = [key for key in part.state_dict() if ".guide." in key]
        assert bool(keys) == kept
    assert any(".guide." in key for key in network.prune(2).state_dict())


def test_a_pruned_network_is_silenced_in_eval_and_gives_one_tensor_in_training():
    network = answer(make(), 1.0, -1.0)
    image = torch.rand(2, 1, 8, 8)
    pruned = network.prune(1)
    assert (pruned.eval()(image)[:, 2] == ABSENT).all()
    assert (pruned.eval()(image)[:, :2] > ABSENT).all()
    assert (pruned.train()(image) > ABSENT).all()
