"""NestedUNet computes the papers' networks, whole and pruned."""

import copy
import itertools
import weakref

import pytest
import torch
from monai.networks.nets import BasicUNetPlusPlus
from networks.model_tester import assert_gradients, assert_modes, assert_shapes, head_logits

from medseg.networks import TOPOLOGIES, Input, NestedUNet, Node, Topology
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


@pytest.mark.parametrize(("name", "dims", "depth"), FAMILY)
def test_every_network_of_the_family_keeps_its_promises(name, dims, depth):
    in_channels, out_channels = 1 + depth % 4, depth - 1
    network = NestedUNet(
        dims,
        in_channels,
        out_channels,
        channels=CHANNELS[: depth + 1],
        topology=name,
        deep_supervision=name != "unet",
        kernel_size=KERNELS[dims][: depth + 1],
        strides=STRIDES[dims][:depth],
        upsample=("deconv", "interp")[depth % 2],
    )
    size = [2 * stride for stride in network.total_stride]
    image = torch.rand(2, in_channels, *size)
    assert_shapes(network, image, out_channels=out_channels)
    assert_gradients(network, image)
    assert_modes(network, image)


def expected_parameters(channels, *, topology, heads):
    """3x3 convolutions have 9ab + b parameters, 2x2 transposed ones 4ab + b, a head a + 1."""

    def node(joined, width):
        return 9 * joined * width + width + 9 * width * width + width

    total = sum(node(a, b) for a, b in zip((1, *channels), channels, strict=False))
    depth = len(channels) - 1
    for level, (width, below) in enumerate(itertools.pairwise(channels)):
        columns = range(1, depth - level + 1)
        for column in columns if topology == "unet_plusplus" else columns[-1:]:
            skips = column if topology == "unet_plusplus" else 1
            total += 4 * below * width + width + node((skips + 1) * width, width)
    return total + heads * (channels[0] + 1)


@pytest.mark.parametrize(
    ("topology", "base", "heads", "count"),
    [
        ("unet", 32, 1, 7_759_521),
        ("unet", 35, 1, 9_282_246),
        ("unet_plusplus", 32, 1, 9_041_601),
        ("unet_plusplus", 32, 4, 9_041_700),
    ],
)
def test_the_parameter_counts_are_the_references(topology, base, heads, count):
    channels = tuple(base * 2**level for level in range(5))
    with torch.device("meta"):
        network = NestedUNet(
            2, 1, 1, channels=channels, topology=topology, norm=None, deep_supervision=heads > 1
        )
    assert sum(p.numel() for p in network.parameters()) == count
    assert expected_parameters(channels, topology=topology, heads=heads) == count


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
    options = {"channels": (2, 3, 4), "topology": topology, "upsample": upsample}
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
    last_reads = network.topology.last_reads()
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


def test_a_topology_may_change_the_scale_by_several_levels(monkeypatch):
    table = {
        Node(0, 0): (Input(IMAGE, 0),),
        Node(1, 0): (Input(Node(0, 0), -1),),
        Node(2, 0): (Input(Node(1, 0), -1), Input(Node(0, 0), -2)),
        Node(0, 1): (Input(Node(0, 0), 0), Input(Node(1, 0), 1), Input(Node(2, 0), 2)),
    }
    monkeypatch.setitem(TOPOLOGIES, "wide", lambda _: Topology("wide", table, (Node(0, 1),)))
    network = NestedUNet(2, 1, 2, channels=(2, 3, 4), topology="wide", strides=[(1, 2), (3, 2)])
    assert_shapes(network, torch.rand(1, 1, 6, 8), out_channels=2)
    assert network.nodes["x0_1"].rescale[2].deconv.stride == (3, 4)


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


@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@pytest.mark.parametrize("pad_input", [False, True])
def test_script_and_trace_give_the_same_logits(pad_input):
    network = NestedUNet(2, 1, 2, **SMALL, pad_input=pad_input).eval()
    image, other = torch.rand(1, 1, 16, 12), torch.rand(2, 1, 8, 20)
    for model in (network, network.prune(1)):
        for program in (torch.jit.script(model), torch.jit.trace(model, image)):
            assert torch.equal(program(other), model(other))


def test_export_gives_the_same_logits_at_other_sizes():
    network = NestedUNet(3, 1, 2, **SMALL).eval()
    axes = dict.fromkeys((2, 3, 4), torch.export.Dim.DYNAMIC)
    program = torch.export.export(network, (torch.rand(1, 1, 8, 8, 12),), dynamic_shapes=(axes,))
    other = torch.rand(1, 1, 12, 16, 8)
    assert torch.equal(program.module()(other), network(other))


@pytest.mark.parametrize("training", [False, True])
def test_compile_needs_no_graph_break(training):
    network = NestedUNet(2, 1, 2, **SMALL).train(training)
    image = torch.rand(1, 1, 8, 8)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(image), network(image))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (2, 3)}, r"depth is 2 to 6, got 1 from channels \(2, 3\): give 3 to 7"),
        ({"channels": (2,) * 8}, "depth is 2 to 6, got 7"),
        ({"channels": (2, 0, 4)}, r"channel counts are positive, .* channels \(2, 0, 4\)"),
        ({"in_channels": 0}, "channel counts are positive, got in_channels 0"),
        ({"out_channels": -1}, "out_channels -1: use 1 or more"),
        ({"topology": "vnet"}, "one of unet, unet_plusplus, got 'vnet'"),
        (
            {"topology": "unet", "deep_supervision": True},
            r"unet has X\(0,2\) only: .* a topology with more \(unet_plusplus\)",
        ),
        ({"upsample": "nearest"}, "upsample must be one of deconv, interp"),
        ({"spatial_dims": 1}, "spatial_dims must be 2 or 3, got 1"),
        ({"strides": (2, 2, 2)}, "strides needs one integer or 2 entries"),
        ({"kernel_size": (3, 3)}, "kernel_size needs one integer or 3 entries"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    defaults = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": (2, 3, 4)}
    with pytest.raises(ValueError, match=message) as caught:
        NestedUNet(**(defaults | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [2.0, True, "2", None, [2, 2.0], [[2, True], 2]])
@pytest.mark.parametrize("name", ["strides", "kernel_size", "channels"])
def test_an_option_of_another_type_is_refused_by_its_name(name, value):
    options = {"channels": (2, 3, 4)} | {name: value}
    with pytest.raises(TypeError, match=rf"^{name} is .* got .*: pass for instance") as caught:
        NestedUNet(2, 1, 1, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1.0, True, "1", None])
@pytest.mark.parametrize("name", ["in_channels", "out_channels"])
def test_a_number_of_channels_that_is_no_integer_is_refused(name, value):
    options = {"in_channels": 1, "out_channels": 1} | {name: value}
    with pytest.raises(TypeError, match=rf"{name} is an integer, got {value!r}"):
        NestedUNet(2, channels=(2, 3, 4), **options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8), r"a batch, a channel and 2 spatial axes, got shape \(1, 8, 8\)"),
        ((1, 1, 8, 8, 8), "a batch, a channel and 2 spatial axes"),
        ((1, 3, 8, 8), r"takes 1 input channels, got 3 .* build it with in_channels=3"),
        (
            (1, 1, 10, 8),
            r"got size \(10, 8\) for stride \(4, 4\): pass a size that divides, such as \(12, 8\), "
            "or pad_input True",
        ),
        ((1, 1, 0, 8), r"has a size of 1 or more, got shape \(1, 1, 0, 8\): drop the empty image"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        NestedUNet(2, 1, 1, **SMALL)(torch.rand(shape))


@pytest.mark.parametrize("level", [0, 3, -1])
def test_a_level_without_a_head_cannot_be_kept(level):
    with pytest.raises(ValueError, match=rf"heads at the levels \[1, 2\], not at {level}: choose"):
        NestedUNet(2, 1, 1, **SMALL).prune(level)


def test_without_deep_supervision_only_the_last_level_can_be_kept():
    network = NestedUNet(2, 1, 1, channels=(2, 3, 4))
    assert list(network.prune(2).nodes) == list(network.nodes)
    with pytest.raises(ValueError, match=r"\[2\], not at 1: .* deep_supervision=True"):
        network.prune(1)


@pytest.mark.parametrize("pad_input", [False, True])
def test_an_empty_image_is_refused_whether_padded_or_not(pad_input):
    network = NestedUNet(2, 1, 1, **SMALL, pad_input=pad_input)
    with pytest.raises(ValueError, match="has a size of 1 or more"):
        network(torch.rand(1, 1, 8, 0))
