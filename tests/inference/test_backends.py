"""Tests of medseg.inference.backends: what is offered, and that each says what it runs in."""

import pytest
import torch
from torch import nn

from medseg.inference import backends
from medseg.inference.backends import BACKENDS, PRECISIONS, SHAPES_KEPT, OpenVino, eager
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


@pytest.mark.parametrize(("precision", "dtype"), [("float32", None), ("bfloat16", torch.bfloat16)])
def test_layers_run_in_the_precision_and_weights_stay_float32(precision, dtype):
    class Kind(nn.Conv2d):
        def forward(self, x):
            kinds.append(super().forward(x).dtype)
            return super().forward(x)

    kinds = []
    layer = Kind(1, 1, 1)
    run = eager(nn.Sequential(layer), CPU, getattr(torch, precision))
    answer = run(torch.ones(1, 1, 2, 2))
    assert kinds == [dtype or torch.float32]
    assert answer.dtype == kinds[0]
    assert layer.weight.dtype == torch.float32


def test_a_precision_of_float32_holds_inside_the_autocast_of_a_caller(network):
    run = eager(network, CPU, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert run(torch.zeros(1, 1, 16, 16)).dtype == torch.float32


def test_no_gradient_is_kept(network):
    answer = eager(network, CPU, torch.float32)(torch.zeros(1, 1, 16, 16, requires_grad=True))
    assert not answer.requires_grad


def test_batch_norm_is_folded_in_a_copy(network):
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    folded = backends._laid_out(network, CPU)
    assert norms
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert norms == [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.openvino
@pytest.mark.skipif(not backends.installed("openvino"), reason="openvino is not installed")
def test_openvino_takes_a_network_without_a_stride_and_images_that_are_no_float():
    network = nn.Conv2d(1, 2, 3, padding=1).eval()
    run = OpenVino(network, CPU, torch.float32)
    image = torch.randint(0, 9, (2, 1, 7, 5)).transpose(2, 3)
    with torch.no_grad():
        torch.testing.assert_close(run(image), network(image.float()), rtol=1e-4, atol=1e-4)


@pytest.mark.openvino
@pytest.mark.skipif(not backends.installed("openvino"), reason="openvino is not installed")
def test_openvino_converts_a_network_once_for_all_shapes(network, monkeypatch):
    converted = []
    convert = backends._converted
    monkeypatch.setattr(backends, "_converted", lambda *a: converted.append(a) or convert(*a))
    run = OpenVino(network, CPU, torch.float32)
    for size in range(8, 8 + 4 * (SHAPES_KEPT + 2), 4):
        assert run(torch.zeros(1, 1, size, 8)).shape == (1, 2, size, 8)
    assert len(converted) == 1
    assert len(run._requests) == SHAPES_KEPT


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_a_gpu_gives_the_logits_of_the_network_where_the_image_is(network, precision):
    image = torch.randn(1, 1, 32, 32)
    answer = eager(network, torch.device("cuda"), precision)(image)
    assert answer.device == CPU
    with torch.no_grad():
        torch.testing.assert_close(answer.float(), network(image), rtol=0.05, atol=0.05)
