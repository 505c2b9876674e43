"""An exported file gives the logits of its network, at every batch and size, or is not kept."""

import copy
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import monai
import onnx
import pytest
import torch
from monai.bundle import ckpt_export

import medseg
from medseg.networks import NestedUNet
from medseg.networks import export as module
from medseg.networks.export import FORMATS, export

CHANNELS = (2, 3, 4)
"""Depth 2: the total stride is 4, after prune(1) it is 2."""

NORMS = {2: "batch", 3: ("instance", {"affine": True})}


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def build(dims=2, **options):
    """A small network whose normalisation, if any, has statistics and weights of its own."""
    options = {"channels": CHANNELS, "deep_supervision": True, "norm": NORMS[dims]} | options
    network = NestedUNet(dims, 1, 2, **options)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "N.weight")):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "N.bias")):
            tensor.uniform_(-0.5, 0.5)
    return network


def run(path, image):
    return FORMATS[path.suffix].read(path)(image)


def assert_same_logits(path, network, *sizes):
    """Equal within float32 for batches of 1, 2, ... of the given sizes."""
    network = copy.deepcopy(network).eval()
    for batch, size in enumerate(sizes, 1):
        image = torch.rand(batch, 1, *size)
        with torch.no_grad():
            torch.testing.assert_close(run(path, image), network(image), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A network and its file in each format."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build()
    folder = tmp_path_factory.mktemp("plain")
    return network, {suffix: export(network, folder / f"plain{suffix}") for suffix in FORMATS}


@pytest.mark.long
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_keeps_the_logits(suffix, plain):
    network, paths = plain
    assert_same_logits(paths[suffix], network, (8, 20), (16, 8), (8, 8))


def read_contents(path):
    """The bytes of a file, of an archive those of all that is in it."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.long
@pytest.mark.parametrize("suffix", FORMATS)
def test_no_format_says_where_its_code_lies_on_the_machine_that_wrote_it(suffix, plain):
    content = read_contents(plain[1][suffix])
    folders = [str(Path(package.__file__).parents[1]) for package in (medseg, monai, torch)]
    assert not [folder for folder in folders if folder.encode() in content]


SIZES = {
    "same": [(8, 20), (16, 8)],  # multiples of 4
    "padded": [(8, 8), (5, 11), (8, 9)],
    "valid": [(44, 52), (60, 48)],  # at each side 2 + 4 + 8 + 4 + 2 = 20 are lost: from 44 by 4
    "mirrored": [(1, 1), (8, 8), (30, 7)],
}
UNET = {"topology": "unet", "deep_supervision": False}
NETWORKS = {
    "unet without norm": (UNET | {"norm": None}, "same"),
    "unet_e": ({"topology": "unet_e", "deep_supervision": False}, "same"),
    "residual unet_plus": (
        {"topology": "unet_plus", "encoder": "residual", "upsample": "interp"},
        "same",
    ),
    "guided unet_3plus": (
        {"topology": "unet_3plus", "skip_channels": 2, "class_guide": True},
        "same",
    ),
    "padded": (UNET | {"pad_input": True, "norm": "instance"}, "padded"),
    "valid": (UNET | {"padding": "valid"}, "valid"),
    "mirrored": (UNET | {"padding": "valid", "pad_input": True}, "mirrored"),
}
"""Options, and which of the sizes fit them; unet_plusplus is the plain network above."""

QUICK = [
    *((name, ".pt2") for name in NETWORKS if name not in ("guided unet_3plus", "mirrored")),
    *((name, ".onnx") for name in ("guided unet_3plus", "padded", "mirrored")),
]
"""The others are slow tests: an ONNX file takes 3 seconds, and is made from the same program."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        pytest.param(name, suffix, marks=() if (name, suffix) in QUICK else pytest.mark.slow)
        for name in NETWORKS
        for suffix in (".pt2", ".onnx")
    ],
)
def test_every_network_keeps_its_logits(name, suffix, tmp_path):
    options, kind = NETWORKS[name]
    network = build(**options)
    path = export(network, tmp_path / f"network{suffix}")
    assert_same_logits(path, network, *SIZES[kind])
    assert network.pad_input is options.get("pad_input", False)


@pytest.mark.parametrize(
    ("dims", "level", "suffix"),
    [
        (2, 1, ".ts"),
        (3, 2, ".ts"),
        pytest.param(2, 1, ".onnx", marks=pytest.mark.slow),
        pytest.param(3, 1, ".pt2", marks=pytest.mark.slow),
        pytest.param(3, 2, ".pt2", marks=pytest.mark.slow),
        pytest.param(3, 2, ".onnx", marks=pytest.mark.slow),
        pytest.param(3, None, ".onnx", marks=pytest.mark.slow),
    ],
)
def test_pruned_and_volume_networks_keep_their_logits(dims, level, suffix, tmp_path):
    network = build(dims)
    network = network if level is None else network.prune(level)
    path = export(network, tmp_path / f"network{suffix}")
    assert_same_logits(path, network, (8, 20, 12)[:dims], (16, 8, 8)[:dims])


def test_pad_input_of_torchscript_takes_the_smallest_images_too(tmp_path):
    network = build(pad_input=True)
    path = export(network, tmp_path / "network.ts")
    assert_same_logits(path, network, (1, 1), (8, 9), (4, 2))


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".pt2", pytest.param(".onnx", marks=pytest.mark.slow)])
def test_anisotropic_strides_keep_their_logits(suffix, tmp_path):
    network = build(3, **UNET, strides=[(1, 2, 2), (1, 3, 1)], kernel_size=[(1, 3, 3)] * 3)
    assert network.total_stride == [1, 6, 2]
    path = export(network, tmp_path / f"network{suffix}")
    assert_same_logits(path, network, (2, 12, 4), (5, 18, 6))


@pytest.mark.long
def test_onnx_names_its_tensors_and_axes_holds_its_weights_and_is_quiet(tmp_path, capfd, recwarn):
    network = build(3).prune(1)
    export(network, tmp_path / "network.onnx")
    assert capfd.readouterr() == ("", "")
    assert [str(each.message) for each in recwarn] == []
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model)
    (image,), (pred,) = model.graph.input, model.graph.output
    axes = [
        [axis.dim_param or axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        for tensor in (image, pred)
    ]
    assert [image.name, pred.name] == ["image", "pred"]
    assert axes == [["batch", n, "height", "width", "depth"] for n in (1, 2)]
    assert [each.version for each in model.opset_import if each.domain == ""] == [18]
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert_same_logits(tmp_path / "network.onnx", network, (2, 8, 4), (6, 4, 10))


def test_an_axis_of_one_total_stride_is_refused_by_a_program_alone(plain):
    network, paths = plain
    assert network.total_stride == [4, 4]
    for suffix in (".onnx", ".ts"):
        assert_same_logits(paths[suffix], network, (4, 8), (4, 4))
    with pytest.raises(AssertionError, match="Guard failed"):
        run(paths[".pt2"], torch.rand(1, 1, 4, 8))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_size_that_does_not_divide_is_refused_by_the_file_too(suffix, plain):
    with pytest.raises(Exception, match=r"Guard failed|dimension|Sizes of tensors"):
        run(plain[1][suffix], torch.rand(1, 1, 10, 8))


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training, tmp_path):
    network = build(pad_input=True).double().train(training)
    before = copy.deepcopy(network.state_dict())
    export(network, tmp_path / "network.ts")
    assert network.training is training
    assert network.pad_input is True
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert next(network.parameters()).dtype == torch.float64
    assert run(tmp_path / "network.ts", torch.rand(1, 1, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda logits: logits + 0.01, r"within 0.0001, network.ts is off by 0.01 at .*\(1, 1, 12"),
        (lambda logits: logits[:, :1], r"off by shape \(1, 1, 12, 8\) for \(1, 2, 12, 8\)"),
        (lambda logits: logits * float("nan"), "off by nan"),
    ],
)
def test_a_file_that_disagrees_is_not_kept(wrong, message, tmp_path, monkeypatch):
    write, read = FORMATS[".ts"]
    twisted = module.Format(write, lambda path: lambda image: wrong(read(path)(image)))
    monkeypatch.setitem(FORMATS, ".ts", twisted)
    (tmp_path / "network.ts").write_text("what was there")
    with pytest.raises(RuntimeError, match=message) as caught:
        export(build(), tmp_path / "network.ts")
    assert "\n" not in str(caught.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was there"]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="has no limits of processes")
def test_a_program_that_finds_no_room_is_one_error_and_not_the_end_of_the_process(tmp_path):
    """By itself torch throws in a destructor then, which aborts; so another process tries it."""
    code = (
        "import os, resource, torch\n"
        "from medseg.networks import NestedUNet\n"
        "from medseg.networks.export import export\n"
        "network = NestedUNet(2, 1, 2, channels=(2, 3, 4))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "for name in ('a.ts', 'a.pt2'):\n"
        "    try:\n"
        "        export(network, name)\n"
        "    except OSError as error:\n"
        "        print(error)\n"
        "print(os.listdir('.'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    script, program, left = done.stdout.splitlines()
    assert script.startswith("a.ts cannot be written (File too large): ")
    assert program.startswith("a.pt2 cannot be written (File too large): ")
    assert left == "[]"


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_remedy(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"not installed: {package}; pip install 'medseg\[export"):
        export(build(), tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_too_large_for_onnx_are_refused(tmp_path, monkeypatch):
    network = NestedUNet(2, 1, 1, channels=CHANNELS, norm=None)
    numbers = sum(p.numel() for p in network.parameters())
    monkeypatch.setattr(module, "ONNX_BYTES", 4 * numbers - 1)
    with pytest.raises(ValueError, match=rf"weights have {4 * numbers:,} bytes: export to .pt2"):
        export(network, tmp_path / "network.onnx")
    monkeypatch.setattr(module, "ONNX_BYTES", 4 * numbers)
    module._check_onnx(network)  # just fits


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = build()
    network.nodes["x0_1"].head.bias.data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"nodes.x0_1.head.bias is not: export an earlier"):
        export(network, tmp_path / "network.ts")


@pytest.mark.parametrize("name", ["network", "network.pt", "network.onnx.gz"])
def test_another_suffix_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=rf"one of .onnx, .pt2, .ts, got '{name}': choose"):
        export(build(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@pytest.mark.parametrize("level", [None, 1])
def test_monai_exports_a_bundle_as_torchscript_whole_and_at_a_level(level, tmp_path):
    network = build().eval()
    kept = network if level is None else network.prune(level)
    definition = {
        "_target_": "medseg.networks.NestedUNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 2,
        "channels": list(CHANNELS),
        "deep_supervision": True,
        "norm": "batch",
        "level": level,
    }
    config, weights = tmp_path / "inference.json", tmp_path / "model.pt"
    config.write_text(json.dumps({"network_def": definition}))
    torch.save(kept.state_dict(), weights)
    exported = tmp_path / "model.ts"
    ckpt_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=str(weights),
        config_file=str(config),
        key_in_ckpt="",
    )
    assert_same_logits(exported, kept, (16, 12), (8, 8))
