"""NestedUNet computes the papers' networks, whole and pruned."""

import copy
import re
import weakref

import pytest
import torch
from monai.networks.nets import BasicUNetPlusPlus
from networks.model_tester import (
    assert_export,
    assert_gradients,
    assert_learns,
    assert_levels,
    assert_modes,
    assert_shapes,
    head_logits,
)

from medseg.networks import TOPOLOGIES, NestedUNet, load_weights
from medseg.networks.topology import IMAGE

CHANNELS = (2, 3, 4, 3, 5, 2, 4)
STRIDES = {
    2: (2, (1, 3), (3, 1), 2, (1, 2), (2, 1)),
    3: ((1, 2, 2), 2, (3, 1, 1), (1, 1, 3), (1, 2, 1), (2, 1, 1)),
}
KERNELS = {
    2: (3, (1, 3), (5, 1), 3, 1, (3, 1), 3),
    3: ((1, 3, 3), 3, (3, 1, 1), (1, 1, 5), 1, 3, (3, 3, 1)),
}
FAMILY = [
    pytest.param(name, dims, depth, id=f"{name}-{dims}d-{depth}")
    for name in TOPOLOGIES
    for dims in (2, 3)
    for depth in range(2, 7)
]
SMALL = {"channels": (2, 3, 4), "deep_supervision": True}


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def family_member(name, dims, depth, **options):
    return NestedUNet(
        dims,
        1 + depth % 4,
        depth - 1,
        channels=CHANNELS[: depth + 1],
        skip_channels=2,
        topology=name,
        deep_supervision=name != "unet",
        kernel_size=KERNELS[dims][: depth + 1],
        strides=STRIDES[dims][:depth],
        upsample=("deconv", "interp")[depth % 2],
        pad_input=True,
        **options,
    )


@pytest.mark.parametrize(("name", "dims", "depth"), FAMILY)
def test_every_network_of_the_family_keeps_its_promises(name, dims, depth):
    network = family_member(name, dims, depth)
    even = torch.rand(2, 1 + depth % 4, *(2 * stride for stride in network.total_stride))
    odd = even[(slice(None), slice(None), *(slice(1, None) for _ in network.total_stride))]
    assert_shapes(network, odd, out_channels=depth - 1)
    assert_gradients(network, odd)
    assert_modes(network, even)
    assert_levels(network, lambda level: family_member(name, dims, depth, level=level), odd)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dims", "depth"), FAMILY)
def test_every_network_of_the_family_exports_whole_and_pruned(name, dims, depth):
    network = family_member(name, dims, depth)
    size = [2 * stride for stride in network.total_stride]
    image = torch.rand(2, 1 + depth % 4, *(n + 3 for n in size))
    other = torch.rand(2, 1 + depth % 4, *(n + 1 for n in size))
    for model in (network, network.prune(min(network.topology.levels))):
        assert_export(model, image, other)


SMALL_DEPTH = [
    pytest.param(depth, marks=() if depth == 2 else pytest.mark.slow) for depth in range(2, 7)
]


@pytest.mark.long
@pytest.mark.parametrize("depth", SMALL_DEPTH)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_topology_learns_in_2d_and_3d(topology, dims, depth):
    network = NestedUNet(
        dims,
        1,
        1,
        channels=(4, 8, 8, 8, 8, 8, 8)[: depth + 1],
        strides=[2, 2, 1, 1, 1, 1][:depth],
        skip_channels=4,
        topology=topology,
        deep_supervision=topology != "unet",
        norm="batch",
    )
    label = torch.zeros(2, 1, *(16, 16, 8)[:dims])
    label[:, :, 8:, :8] = 1  # coarse enough for the smallest map of UNet 3+
    assert_learns(network, label + torch.rand(label.shape), label)


def monai_key(key):
    """Where MONAI's BasicUNetPlusPlus keeps the parameter that NestedUNet calls `key`."""
    _, node, part, *rest = key.split(".")
    level, column = node[1:].split("_")
    if part == "head":
        return ".".join([f"final_conv_{level}_{column}", *rest])
    if part == "rescale":
        return ".".join([f"upcat_{level}_{column}.upsample", *rest[1:]])
    block = f"upcat_{level}_{column}.convs" if column != "0" else f"conv_{level}_0.convs"
    block = "conv_0_0" if block == "conv_0_0.convs" else block
    return ".".join([block, {"first": "conv_0", "second": "conv_1"}[part], *rest])


@pytest.mark.parametrize("size", [(32, 48), (32, 16, 16)])
def test_logits_equal_those_of_monai_at_its_default_features(size):
    dims = len(size)
    reference = BasicUNetPlusPlus(dims, 1, 2, deep_supervision=True)
    network = NestedUNet(dims, 1, 2, channels=(32, 32, 64, 128, 256), deep_supervision=True)
    weights = {key: torch.randn_like(value) * 0.05 for key, value in reference.state_dict().items()}
    reference.load_state_dict(weights)
    network.load_state_dict({key: weights[monai_key(key)] for key in network.state_dict()})
    assert len(weights) == len(network.state_dict())
    image = torch.rand(1, 1, *size)
    with torch.no_grad():
        pairs = zip(network(image), reversed(reference(image)), strict=True)
        assert all((ours - theirs).abs().max() < 1e-5 for ours, theirs in pairs)


@pytest.mark.parametrize("upsample", ["deconv", "interp"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_2d_equals_a_one_slice_3d(topology, upsample):
    options = SMALL | {"topology": topology, "upsample": upsample, "skip_channels": 2}
    options |= {"deep_supervision": topology != "unet"}
    flat = NestedUNet(2, 1, 2, **options).eval()
    volume = NestedUNet(
        3, 1, 2, kernel_size=[(1, 3, 3)] * 3, strides=[(1, 2, 2)] * 2, **options
    ).eval()
    shapes = {key: value.shape for key, value in volume.state_dict().items()}
    volume.load_state_dict({k: v.reshape(shapes[k]) for k, v in flat.state_dict().items()})
    image = torch.rand(2, 1, 8, 12)
    torch.testing.assert_close(volume(image[:, :, None])[:, :, 0], flat(image))


def test_training_with_deep_supervision_gives_the_deepest_head_first():
    network = NestedUNet(2, 1, 1, **SMALL)
    image = torch.rand(1, 1, 8, 8)
    caught = head_logits(network, image)
    deepest, shallow = network.train()(image)
    assert torch.equal(deepest, caught[2])
    assert torch.equal(shallow, caught[1])


def test_every_weight_learns_from_deep_supervision():
    network = NestedUNet(2, 1, 2, channels=(4, 4, 4, 4), deep_supervision=True, norm=None)
    sum(head.square().mean() for head in network(torch.rand(2, 1, 16, 16))).backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_dropout_acts_in_training_only():
    network = NestedUNet(2, 1, 1, channels=(4, 4, 4), dropout=0.5)
    image = torch.rand(1, 1, 8, 8)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_a_pruned_network_neither_holds_nor_computes_the_dropped_nodes():
    network = NestedUNet(2, 1, 1, channels=(2, 3, 4, 5), deep_supervision=True)
    pruned = network.prune(1).eval()
    computed = []
    for key, node in pruned.nodes.items():
        node.register_forward_hook(lambda *_, key=key: computed.append(key))
    pruned(torch.rand(1, 1, 2, 4))
    assert computed == ["x0_0", "x1_0", "x0_1"]
    assert {key.split(".")[1] for key in pruned.state_dict()} == set(computed)
    assert pruned.total_stride == [2, 2]
    assert type(pruned) is NestedUNet


def test_a_pruned_state_dict_loads_back_and_is_part_of_the_whole():
    network = NestedUNet(2, 1, 1, **SMALL)
    pruned, whole = network.prune(1), network.state_dict()
    state = copy.deepcopy(pruned.state_dict())
    assert all(torch.equal(value, whole[key]) for key, value in state.items())
    other = NestedUNet(2, 1, 1, **SMALL).prune(1).eval()
    image = torch.rand(1, 1, 8, 8)
    assert not torch.equal(other(image), pruned.eval()(image))
    other.load_state_dict(state)
    assert torch.equal(other(image), pruned(image))


def test_pruning_leaves_the_network_as_it_was():
    network = NestedUNet(2, 1, 1, **SMALL)
    before = list(network.state_dict())
    torch.nn.init.zeros_(network.prune(1).nodes["x0_0"].first.conv.weight)
    assert list(network.state_dict()) == before
    assert network.nodes["x0_0"].first.conv.weight.abs().sum() > 0


def test_a_pruned_network_trains_on_one_tensor():
    logits = NestedUNet(2, 1, 1, **SMALL).prune(2).train()(torch.rand(1, 1, 8, 8))
    assert isinstance(logits, torch.Tensor)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_feature_map_is_gone_after_its_last_reader(topology):
    network = NestedUNet(2, 1, 1, channels=(2, 2, 2, 2), topology=topology).eval()
    last_reads = network.topology.find_last_reads()
    alive = {}

    def watch(node):
        def gathered(*_):
            done = [source.key for source in last_reads[node] if source not in (node, IMAGE)]
            assert [key for key in done if alive[key]() is not None] == []

        network.nodes[node.key].first.conv.register_forward_pre_hook(gathered)
        network.nodes[node.key].register_forward_hook(
            lambda _, __, output: alive.update({node.key: weakref.ref(output)})
        )

    for node in network.topology.table:
        watch(node)
    with torch.no_grad():
        network(torch.rand(1, 1, 16, 16))
    assert len(alive) == len(network.topology.table)
    assert all(reference() is None for reference in alive.values())


def test_padding_repeats_the_far_edge_and_is_cropped_away():
    network = NestedUNet(2, 1, 1, **SMALL, pad_input=True).eval()
    image = torch.rand(1, 1, 7, 9)
    rows = torch.tensor([*range(7), 6])
    columns = torch.tensor([*range(9), 8, 8, 8])
    padded = image[:, :, rows][..., columns]
    with torch.no_grad():
        assert torch.equal(network(image), network(padded)[..., :7, :9])
        assert [tuple(head.shape[2:]) for head in network.train()(image)] == [(7, 9)] * 2


def test_half_precision_and_one_case_batches_run():
    network = NestedUNet(3, 2, 1, channels=(2, 3, 4), pad_input=True).eval().bfloat16()
    assert network(torch.rand(1, 2, 5, 6, 9, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8), r"a batch, a channel and 2 spatial axes, got shape \(1, 8, 8\)"),
        ((1, 1, 8, 8, 8), "a batch, a channel and 2 spatial axes"),
        ((1, 3, 8, 8), r"needs images of 1 channel, got 3 .* build it with in_channels=3"),
        (
            (1, 1, 10, 8),
            r"got size \(10, 8\) for stride \(4, 4\): pass a size that divides, such as \(12, 8\), "
            "or pad_input True",
        ),
        (
            (1, 1, 0, 8),
            r"must have a size of 1 or more, got shape \(1, 1, 0, 8\): drop the empty image",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        NestedUNet(2, 1, 1, **SMALL)(torch.rand(shape))


@pytest.mark.parametrize("level", [0, 3, -1, 1.0, True, "1", None])
def test_a_level_without_a_head_cannot_be_kept(level):
    message = rf"level is {level!r}, and .* heads at the levels \[1, 2\]: choose"
    with pytest.raises(ValueError, match=message):
        NestedUNet(2, 1, 1, **SMALL).prune(level)
    if level is not None:
        with pytest.raises(ValueError, match=message):
            NestedUNet(2, 1, 1, **SMALL, level=level)


@pytest.mark.parametrize("topology", ["unet", "unet_plus", "unet_plusplus", "unet_3plus"])
def test_without_deep_supervision_only_the_last_level_can_be_kept(topology):
    options = {"channels": (2, 3, 4), "topology": topology, "skip_channels": 2}
    network = NestedUNet(2, 1, 1, **options)
    built = NestedUNet(2, 1, 1, **options, level=2)
    assert list(network.prune(2).nodes) == list(built.nodes) == list(network.nodes)
    for keep in (network.prune, lambda level: NestedUNet(2, 1, 1, **options, level=level)):
        with pytest.raises(ValueError, match=r"level is 1, .* \[2\]: .* deep_supervision=True"):
            keep(1)


def test_the_head_on_the_encoder_of_unet_3plus_cannot_be_kept_alone():
    network = NestedUNet(2, 1, 1, **SMALL, topology="unet_3plus", skip_channels=2)
    assert [str(head) for head in network.topology.heads] == ["X(2,0)", "X(1,1)", "X(0,2)"]
    with pytest.raises(ValueError, match=r"level is 0, .* heads at the levels \[1, 2\]"):
        network.prune(0)


def test_a_pruned_unet_3plus_keeps_the_encoder_and_so_the_total_stride():
    network = NestedUNet(2, 1, 1, **SMALL, topology="unet_3plus", skip_channels=2)
    pruned = network.prune(1)
    assert list(pruned.nodes) == ["x0_0", "x1_0", "x2_0", "x1_1"]
    assert pruned.total_stride == [4, 4]


def test_an_ensemble_averages_its_heads_in_training_too():
    options = {"channels": (2, 3, 4, 5), "topology": "unet_e", "norm": None}
    network = NestedUNet(2, 1, 2, **options)
    image = torch.rand(1, 1, 16, 8)
    heads = head_logits(network, image)
    assert sorted(heads) == [1, 2, 3]
    torch.testing.assert_close(network.train()(image), sum(heads.values()) / 3)


@pytest.mark.parametrize("level", [2, 3])
def test_a_pruned_ensemble_is_the_unet_of_that_depth(level):
    channels = (2, 3, 4, 5)
    pruned = NestedUNet(2, 1, 2, channels=channels, topology="unet_e").prune(level).eval()
    unet = NestedUNet(2, 1, 2, channels=channels[: level + 1], topology="unet").eval()
    unet.load_state_dict(pruned.state_dict())
    image = torch.rand(1, 1, 16, 8)
    assert torch.equal(unet(image), pruned(image))


@pytest.mark.parametrize("pad_input", [False, True])
def test_an_empty_image_is_refused_whether_padded_or_not(pad_input):
    network = NestedUNet(2, 1, 1, **SMALL, pad_input=pad_input)
    with pytest.raises(ValueError, match="must have a size of 1 or more"):
        network(torch.rand(1, 1, 8, 0))


@pytest.mark.parametrize(("topology", "level"), [("unet_3plus", 1), ("unet_plusplus", 2)])
def test_a_guide_that_stays_silences_the_head_in_eval_only(topology, level):
    network = NestedUNet(
        2, 1, 3, topology=topology, class_guide=True, skip_channels=2, norm=None, **SMALL
    )
    guide = network.nodes["x2_0"].guide
    torch.nn.init.zeros_(guide.conv.weight)
    guide.conv.bias.data = torch.tensor([1.0, -1.0])  # of classes 1 and 2, only 1 is present
    image = torch.rand(2, 1, 8, 8)
    head, pruned = head_logits(network, image)[level], network.prune(level)
    assert torch.equal(pruned.train()(image), head)
    logits = pruned.eval()(image)
    assert torch.equal(logits[:, :2], head[:, :2])
    assert logits[:, 2].unique().tolist() == [-1e4]


@pytest.mark.parametrize("weights", [None, 3, []])
def test_weights_that_are_neither_a_path_nor_a_mapping_are_refused(weights):
    network = NestedUNet(2, 1, 1, **SMALL)
    message = rf"^weights must be a file or a flat state dict, got {re.escape(repr(weights))}: pass"
    with pytest.raises(TypeError, match=message):
        load_weights(network, weights)
