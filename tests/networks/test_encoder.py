"""A timm network takes the place of the encoder, at any depth, with weights from local files."""

import socket
import subprocess
import sys

import pytest
import torch
from networks.model_tester import (
    assert_compiles,
    assert_gradients,
    assert_levels,
    assert_modes,
    assert_programs,
    assert_shapes,
)

from medseg.networks import TOPOLOGIES, NestedUNet, Node, load_weights
from medseg.networks.encoder import Pyramid, TimmEncoder, find_pyramid
from medseg.networks.export import FORMATS, export

NAMES = ("test_resnet", "test_efficientnet", "test_convnext")
"""Small networks that timm has for tests: the first maps have reductions 2, 2 and 4."""


@pytest.fixture(scope="module", autouse=True)
def library():
    """Let timm be imported where torchvision was built for another torch than the one installed.

    The CUDA build of torchvision on PyPI cannot load its operators into a CPU build of torch, and
    its import then fails, since it describes operators that are not there. timm uses none of them,
    so they are declared here, without a body.
    """
    pytest.importorskip("torch")
    broken = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True)
    operators = torch.library.Library("torchvision", "FRAGMENT")
    if broken.returncode:
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
    pytest.importorskip("timm")
    return operators


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make(name="test_resnet", **options):
    defaults = {"channels": (2, 3, 4), "deep_supervision": True, "skip_channels": 2}
    options = defaults | {"encoder": f"timm/{name}", "pad_input": True} | options
    return NestedUNet(2, 2, 3, **options)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_topology_keeps_its_promises_on_a_timm_encoder(name, topology):
    options = {"topology": topology, "deep_supervision": topology != "unet"}
    network = make(name, **options)
    image = torch.rand(2, 2, *(2 * stride for stride in network.total_stride))
    odd = image[..., 1:, :-1]
    assert_shapes(network, odd, out_channels=3)
    assert_gradients(network, odd)
    assert_modes(network, image)
    assert_levels(network, lambda level: make(name, level=level, **options), odd)


@pytest.mark.parametrize(
    ("name", "stride", "levels"),
    [("test_resnet", 8, [1, 2, 3]), ("test_convnext", 16, [1, 2, 3]), ("vgg11", 8, [0, 1, 2, 3])],
)
def test_strides_and_tapped_levels_are_those_of_the_reductions(name, stride, levels):
    with torch.device("meta"):
        network = make(name, channels=(2, 3, 4, 5))
    assert network.total_stride == [stride, stride]
    assert network.encoder.keys == [f"x{level}_0" for level in levels]
    plain = [key for key in network.state_dict() if key.startswith("nodes.x0_0.first")]
    assert bool(plain) == (0 not in levels)


def test_a_pyramid_that_starts_at_the_image_gives_level_0():
    pyramid = Pyramid("vgg", (64, 128, 256), (1, 2, 4))
    assert pyramid.list_steps(2) == (2, 2)
    assert pyramid.list_nodes(1) == {Node(0, 0): 64, Node(1, 0): 128}


def test_a_pyramid_that_starts_below_the_image_leaves_level_0_to_a_plain_block():
    pyramid = Pyramid("convnext", (24, 32, 48), (4, 8, 16))
    assert pyramid.list_steps(3) == (4, 2, 2)
    assert pyramid.list_nodes(2) == {Node(1, 0): 24, Node(2, 0): 32}


def test_the_deepest_entry_of_channels_counts_for_the_depth_alone():
    with torch.device("meta"):
        networks = [make(channels=channels) for channels in ((4, 8, 16), (4, 8, 999), (4, 9, 16))]
    narrow, wide, other = (
        {key: value.shape for key, value in network.state_dict().items()} for network in networks
    )
    assert narrow == wide
    assert narrow != other  # an entry above the deepest is the width of decoder nodes


def test_the_maps_are_those_of_the_network_itself():
    import timm

    encoder = TimmEncoder(find_pyramid("test_resnet"), in_channels=2, depth=3).eval()
    whole = timm.create_model("test_resnet", in_chans=2, features_only=True).eval()
    state = whole.state_dict() | {
        key.removeprefix("network."): value for key, value in encoder.state_dict().items()
    }
    whole.load_state_dict(state)
    image = torch.rand(1, 2, 32, 64)
    for ours, theirs in zip(encoder(image), whole(image), strict=False):
        assert torch.equal(ours, theirs)
    assert len(encoder(image)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_is_deeper_than_the_network_is_not_built(name):
    deep = TimmEncoder(find_pyramid(name), in_channels=1, depth=3)
    shallow = deep.cut(1)
    state = deep.state_dict()
    assert len(shallow.state_dict()) < len(state)
    assert all(torch.equal(value, state[key]) for key, value in shallow.state_dict().items())
    image = torch.rand(1, 1, 32, 32)
    (only,) = shallow.eval()(image)
    assert torch.equal(only, deep.eval()(image)[0])


def test_a_cut_encoder_keeps_mode_and_precision():
    encoder = TimmEncoder(find_pyramid("test_resnet"), in_channels=1, depth=2).eval().bfloat16()
    cut = encoder.cut(1)
    assert not cut.training
    assert {parameter.dtype for parameter in cut.parameters()} == {torch.bfloat16}
    assert cut.training == encoder.training


def test_maps_with_the_channels_last_are_permuted():
    with torch.device("meta"):
        pyramid = find_pyramid("mambaout_femto")
        encoder = TimmEncoder(pyramid, in_channels=1, depth=2)
        maps = encoder(torch.rand(1, 1, 64, 32))
    assert encoder.channels_last
    assert [tuple(each.shape) for each in maps] == [(1, 48, 16, 8), (1, 96, 8, 4)]


@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@pytest.mark.parametrize("name", NAMES)
def test_scripts_give_the_same_logits(name):
    network = make(name, pad_input=False)
    for model in (network, network.prune(1)):
        assert_programs(model, torch.rand(1, 2, 32, 16), torch.rand(2, 2, 16, 48))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("test_resnet", ".pt2"),
        ("test_resnet", ".onnx"),
        *(pytest.param(name, ".pt2", marks=pytest.mark.slow) for name in NAMES[1:]),
        *(pytest.param(name, ".onnx", marks=pytest.mark.slow) for name in NAMES[1:]),
    ],
)
def test_exported_files_give_the_same_logits(name, suffix, tmp_path):
    network = make(name).eval()
    program = FORMATS[suffix].read(export(network, tmp_path / f"network{suffix}"))
    for size in ((32, 48), (19, 21)):
        image = torch.rand(2, 2, *size)
        with torch.no_grad():
            torch.testing.assert_close(program(image), network(image), rtol=1e-4, atol=1e-4)


def test_compile_needs_no_graph_break():
    assert_compiles(make(), torch.rand(2, 2, 16, 16))


def test_the_class_guide_and_the_bottom_dropout_sit_on_the_deepest_map():
    network = make(class_guide=True, bottom_dropout=0.5)
    assert network.nodes["x2_0"].guide.conv.in_channels == find_pyramid("test_resnet").channels[1]
    image = torch.rand(2, 2, 16, 16)
    *heads, presence = network.train()(image)
    assert presence.shape == (2, 2, 1, 1)
    assert not torch.equal(heads[0], network(image)[0])


def test_checkpointing_leaves_the_step_as_it_is():
    steps = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = make(checkpointing=checkpointing)
        outputs = network.train()(torch.rand(2, 2, 16, 16))
        sum(each.square().mean() for each in outputs).backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        steps.append([*outputs, *gradients, *network.buffers()])
    assert all(torch.equal(one, other) for one, other in zip(*steps, strict=True))


def pretrained(path, name="test_resnet"):
    """A file as timm's own: the whole network for colour images, classifier included."""
    import timm

    network = timm.create_model(name, pretrained=False)
    torch.save(network.state_dict(), path)
    return network.state_dict()


@pytest.mark.parametrize("level", [None, 1])
def test_a_local_file_fills_the_encoder(tmp_path, level):
    state = pretrained(tmp_path / "resnet.pth")
    network = make(encoder_weights=tmp_path / "resnet.pth", level=level)
    encoder = network.encoder.network.state_dict()
    first = next(key for key, value in encoder.items() if value.ndim == 4)
    assert len(encoder) > 10
    assert all(torch.equal(encoder[key], state[key]) for key in encoder if key != first)
    assert encoder[first].shape[1] == 2  # two input channels instead of three


def test_a_grey_image_gets_the_sum_of_the_colour_weights(tmp_path):
    state = pretrained(tmp_path / "resnet.pth")
    encoder = TimmEncoder(
        find_pyramid("test_resnet"), in_channels=1, depth=2, weights=tmp_path / "resnet.pth"
    )
    key, weight = next((k, v) for k, v in encoder.network.state_dict().items() if v.ndim == 4)
    torch.testing.assert_close(weight, state[key].sum(1, keepdim=True))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"encoder_weights .*absent\.pth do not exist: "):
        make(encoder_weights=tmp_path / "absent.pth")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("damaged", r"\w+Error\): pass the undamaged file"),
        ("another network", r"\d+ weights are not in it, such as conv1\S*\): pass the file"),
        ("no state dict", r"\w+Error\): pass the undamaged file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, kind, reason):
    path = tmp_path / "weights.pth"
    pretrained(path, "test_convnext")
    if kind == "damaged":
        path.write_bytes(path.read_bytes()[:1000])
    if kind == "no state dict":
        torch.save([1, 2], path)
    with pytest.raises(
        ValueError, match=rf"weights\.pth do not fit the encoder \({reason}"
    ) as error:
        make(encoder_weights=path)
    assert "\n" not in str(error.value)


def test_weights_of_another_encoder_are_refused():
    with pytest.raises(ValueError, match=r"the weights fit a unet_plusplus .* build the network"):
        load_weights(make(), make("test_convnext").state_dict())
    with pytest.raises(ValueError, match=r"the weights fit a unet_plusplus .* build the network"):
        load_weights(make().prune(1), make("test_convnext").state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet999"}, "timm knows no 'resnet999': choose one that timm.list_models"),
        ({"name": "hf-hub:timm/resnet18"}, "timm knows no 'hf-hub:timm/resnet18'"),
        (
            {"name": "vit_tiny_patch16_224"},
            r"vit_tiny_patch16_224 has the reductions \(16, 16, 16\): choose resnet18",
        ),
        *(
            (
                {"name": name},
                rf"encoder {name} does not reduce every image size evenly by its reductions "
                rf"\({first}, .*\), it {found} at 64 x 96: choose resnet18",
            )
            for name, first, found in (
                ("swin_tiny_patch4_window7_224", 4, "raises AssertionError"),
                ("inception_v3", 2, "raises RuntimeError"),
                ("inception_resnet_v2", 2, "raises RuntimeError"),
                # unpadded: 64 -> (64 - 3) // 2 + 1 = 31 -> 31 - 2 = 29, likewise 96 -> 47 -> 45
                ("legacy_xception", 2, r"gives maps \(C, H, W\) of \(64, 29, 45\), .*"),
            )
        ),
        (
            {"name": "test_convnext", "channels": (2,) * 6},
            "test_convnext reaches depth 4, not 5: give at most 5 channel counts",
        ),
        (
            {"name": "test_convnext", "strides": (2, 4)},
            r"test_convnext has \(\(4, 4\), \(2, 2\)\), got \(\(2, 2\), \(4, 4\)\): leave strides",
        ),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message) as error:
        make(**options)
    assert "\n" not in str(error.value)


def test_the_maps_are_looked_at_once_and_leave_the_random_numbers_alone(monkeypatch):
    find_pyramid.cache_clear()
    state = torch.random.get_rng_state()
    runs = []
    forward = TimmEncoder.forward
    monkeypatch.setattr(TimmEncoder, "forward", lambda *args: runs.append(args) or forward(*args))
    assert find_pyramid("test_resnet") is find_pyramid("test_resnet")
    assert [image.device.type for _, image in runs] == ["meta"]
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("strides", [2, (4, 2), [(4, 4), (2, 2)]])
def test_strides_may_be_left_or_agree(strides):
    assert make("test_convnext", strides=strides).total_stride == [8, 8]


@pytest.mark.parametrize("error", [ImportError("No module named 'timm'"), RuntimeError("a\nb")])
def test_without_timm_the_message_says_what_to_install(monkeypatch, error):
    class Broken:
        def find_spec(self, name, *_):
            if name == "timm":
                raise error

    monkeypatch.delitem(sys.modules, "timm")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"pip install 'medseg\[encoders\]', with") as caught:
        find_pyramid("test_vit")
    assert "\n" not in str(caught.value)
