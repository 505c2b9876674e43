"""Checkpointing changes what a training step keeps, and nothing that it computes."""

import copy

import pytest
import torch

from medseg.networks import TOPOLOGIES, NestedUNet


def make(**options):
    torch.manual_seed(0)
    defaults = {"channels": (4, 6, 8, 8), "deep_supervision": True, "skip_channels": 3}
    return NestedUNet(2, 1, 2, **(defaults | options))


def step(network, image, *, seed=0):
    """Logits, gradients and buffers of one training step."""
    torch.manual_seed(seed)
    outputs = network.train()(image)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    sum(each.square().mean() for each in outputs).backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    return [*outputs, *gradients, *network.buffers()]


def kept_bytes(network, image):
    """Bytes of the distinct tensors that wait for the backward pass, parameters apart."""
    kept = {}
    parameters = {parameter.data_ptr() for parameter in network.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network.train()(image)
    assert outputs is not None  # the graph, and so what it keeps, lives until here
    return sum(kept.values())


OPTIONS = [
    {"topology": name, "deep_supervision": name != "unet", "norm": norm, "dropout": 0.3}
    for name in TOPOLOGIES
    for norm in ("batch", "instance")
]


@pytest.mark.parametrize(
    "options",
    [
        *OPTIONS,
        {"class_guide": True, "bottom_dropout": 0.5},
        {"encoder": "residual", "norm": ("group", {"num_groups": 2})},
    ],
)
def test_checkpointing_gives_the_same_step_bit_for_bit(options):
    plain, sparing = make(**options), make(**options, checkpointing=True)
    image = torch.rand(2, 1, 16, 16)
    pairs = zip(step(plain, image), step(sparing, image), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_running_statistics_move_once_a_step():
    network = make(norm="batch", checkpointing=True)
    step(network, torch.rand(2, 1, 16, 16))
    counts = [b for name, b in network.named_buffers() if name.endswith("num_batches_tracked")]
    assert len(counts) == 2 * 10  # two convolutions in each of the 10 nodes of depth 3
    assert {int(count) for count in counts} == {1}


def test_the_buffers_stay_the_network_s_own():
    network = make(norm="batch", checkpointing=True)
    before = {name: buffer.data_ptr() for name, buffer in network.named_buffers()}
    step(network, torch.rand(2, 1, 16, 16))
    assert {name: buffer.data_ptr() for name, buffer in network.named_buffers()} == before


def test_a_step_keeps_less_than_half_of_the_bytes():
    image = torch.rand(1, 1, 64, 64)
    assert kept_bytes(make(checkpointing=True), image) < kept_bytes(make(), image) / 2


def test_what_is_kept_are_the_maps_of_the_nodes_and_the_image():
    network = make(topology="unet", deep_supervision=False, checkpointing=True, channels=(4, 4, 4))
    image = torch.rand(1, 1, 16, 8)
    # X(0,0), X(1,0), X(2,0), X(1,1) and, for the head, X(0,2): 4 channels of 4 bytes each
    maps = 16 * (2 * 128 + 2 * 32 + 8)
    assert kept_bytes(network, image) == maps + 4 * 128


def test_checkpointing_is_for_training_only():
    image = torch.rand(1, 1, 16, 16)
    sparing = make(checkpointing=True).eval()
    plain = make().eval()
    assert torch.equal(sparing(image), plain(image))
    assert sparing(image).grad_fn is not None


def test_a_pruned_copy_keeps_checkpointing():
    whole = make(checkpointing=True, norm="batch")
    pruned, plain = whole.prune(2), copy.deepcopy(whole).prune(2)
    for node in plain.nodes.values():
        node.checkpointing = False
    image = torch.rand(1, 1, 32, 32)
    assert kept_bytes(pruned, image) < kept_bytes(plain, image) / 2
