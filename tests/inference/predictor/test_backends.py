"""Tests of medseg.inference.predictor.backends: what is offered, and that each says what it runs
in."""

import gc
import weakref

import pytest
import torch
from torch import nn

from medseg.inference.predictor import backends
from medseg.inference.predictor.backends import (
    BACKENDS,
    NEEDS,
    PRECISIONS,
    OnnxRuntime,
    OpenVino,
    is_installed,
    list_precisions,
    prepare_eager,
)
from medseg.networks import NestedUNet

CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NestedUNet(2, 1, 2, channels=(4, 6, 8), norm="batch", skip_channels=4).eval()


def test_what_is_offered_is_a_backend_and_each_is_offered_in_float32():
    assert {backend for backend, _ in PRECISIONS} == set(BACKENDS)
    assert all(torch.float32 in kinds for kinds in PRECISIONS.values())
    for (_, device), kinds in PRECISIONS.items():
        assert device == "cuda" or torch.float16 not in kinds


@pytest.mark.parametrize("gains", [True, False])
def test_openvino_has_bfloat16_where_the_cpu_has_it_and_pytorch_everywhere(gains, monkeypatch):
    monkeypatch.setattr(backends, "gains_by_bfloat16", lambda device: gains)
    assert (torch.bfloat16 in list_precisions("openvino", CPU)) is gains
    assert torch.bfloat16 in list_precisions("eager", CPU)


def test_a_backend_has_no_precision_where_it_does_not_run():
    assert list_precisions("openvino", torch.device("cuda")) == ()
    assert list_precisions("eager", torch.device("meta")) == ()


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_backend_is_installed_with_its_packages(backend, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert is_installed("eager")
    assert not is_installed(backend)
    assert "pip install" in NEEDS[backend]


def test_compile_needs_a_compiler_on_a_cpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not is_installed("compile")
    assert is_installed("compile", "cuda")  # which has Triton's
    compiler = tmp_path / "c++-14"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", "c++-14")
    assert is_installed("compile")


def test_onnx_runtime_exports_at_the_first_images(network, monkeypatch):
    def refused(network, path):
        raise ValueError("too large")

    monkeypatch.setattr(backends, "export", refused)
    run = OnnxRuntime(network, CPU, torch.float32)
    with pytest.raises(ValueError, match="too large"):
        run(torch.zeros(1, 1, 16, 16))


@pytest.mark.long
@pytest.mark.skipif(not is_installed("onnxruntime"), reason="onnxruntime is not installed")
def test_onnx_runtime_has_the_weights_of_its_making_and_exports_them_once(network, monkeypatch):
    exported = []
    export = backends.export
    monkeypatch.setattr(backends, "export", lambda *a: exported.append(a) or export(*a))
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        expected = network(image)
        run = OnnxRuntime(network, CPU, torch.float32)
        next(network.parameters()).zero_()
    for context in (torch.inference_mode, torch.no_grad):
        with context():
            torch.testing.assert_close(run(image), expected, rtol=1e-4, atol=1e-5)
    assert len(exported) == 1


@pytest.mark.parametrize(("precision", "dtype"), [("float32", None), ("bfloat16", torch.bfloat16)])
def test_layers_run_in_the_precision_and_weights_stay_float32(precision, dtype):
    class Kind(nn.Conv2d):
        def forward(self, x):
            kinds.append(super().forward(x).dtype)
            return super().forward(x)

    kinds = []
    layer = Kind(1, 1, 1)
    run = prepare_eager(nn.Sequential(layer), CPU, getattr(torch, precision))
    answer = run(torch.ones(1, 1, 2, 2))
    assert kinds == [dtype or torch.float32]
    assert answer.dtype == kinds[0]
    assert layer.weight.dtype == torch.float32


def test_a_precision_of_float32_holds_inside_the_autocast_of_a_caller(network):
    run = prepare_eager(network, CPU, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert run(torch.zeros(1, 1, 16, 16)).dtype == torch.float32


def test_no_gradient_is_kept(network):
    answer = prepare_eager(network, CPU, torch.float32)(
        torch.zeros(1, 1, 16, 16, requires_grad=True)
    )
    assert not answer.requires_grad


def test_batch_norm_is_folded_in_a_copy(network, monkeypatch):
    run = []
    monkeypatch.setattr(backends, "_use_autocast", lambda network, *_: run.append(network))
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    prepare_eager(network, CPU, torch.float32)
    assert norms
    assert not any(isinstance(m, nn.BatchNorm2d) for m in run[0].modules())
    assert norms == [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.openvino
@pytest.mark.skipif(not backends.is_installed("openvino"), reason="openvino is not installed")
def test_openvino_takes_a_network_without_a_stride_and_images_that_are_no_float():
    network = nn.Conv2d(1, 2, 3, padding=1).eval()
    run = OpenVino(network, CPU, torch.float32)
    image = torch.randint(0, 9, (2, 1, 7, 5)).transpose(2, 3)
    with torch.no_grad():
        torch.testing.assert_close(run(image), network(image.float()), rtol=1e-4, atol=1e-4)


@pytest.mark.openvino
@pytest.mark.skipif(not backends.is_installed("openvino"), reason="openvino is not installed")
def test_openvino_converts_a_network_once_for_all_shapes(network, monkeypatch):
    calls = []
    convert = backends.convert
    monkeypatch.setattr(backends, "convert", lambda *a: calls.append(a) or convert(*a))
    run = OpenVino(network, CPU, torch.float32)
    for size in (8, 12, 16, 8):
        assert run(torch.zeros(1, 1, size, 8)).shape == (1, 2, size, 8)
        assert run.shape == (1, 1, size, 8)
    assert len(calls) == 1


@pytest.mark.openvino
@pytest.mark.skipif(not backends.is_installed("openvino"), reason="openvino is not installed")
def test_openvino_fills_up_the_last_batch_of_an_image_and_no_more_than_that(network):
    run = OpenVino(network, CPU, torch.float32)
    shapes = []
    for count in (3, 3, 1, 3, 2, 2, 1, 1):
        images = torch.randn(count, 1, 16, 8)
        with torch.no_grad():
            torch.testing.assert_close(run(images), network(images), rtol=1e-4, atol=1e-5)
        shapes.append(run.shape[0])
    assert shapes == [3, 3, 3, 3, 3, 2, 2, 1]


@pytest.mark.openvino
@pytest.mark.skipif(not backends.is_installed("openvino"), reason="openvino is not installed")
def test_openvino_lets_its_copy_of_the_network_go(network, monkeypatch):
    given = []
    convert = backends.convert

    def watched(network, shape):
        given.append(weakref.ref(network))
        return convert(network, shape)

    monkeypatch.setattr(backends, "convert", watched)
    run = OpenVino(network, CPU, torch.float32)
    run(torch.zeros(1, 1, 16, 16))
    gc.collect()
    assert given[0]() is None
    assert run(torch.zeros(1, 1, 8, 8)).shape == (1, 2, 8, 8)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_a_gpu_gives_the_logits_of_the_network_where_the_image_is(network, precision):
    image = torch.randn(1, 1, 32, 32)
    answer = prepare_eager(network, torch.device("cuda"), precision)(image)
    assert answer.device == CPU
    with torch.no_grad():
        torch.testing.assert_close(answer.float(), network(image), rtol=0.05, atol=0.05)
