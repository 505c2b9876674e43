"""Tests of medseg.inference.predictor.precision: the type that a network is run in, and where."""

from pathlib import Path

import pytest
import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer

from medseg.inference import MixedPrecisionInferer
from medseg.inference.predictor.precision import find_fastest_precision
from medseg.losses import HybridLoss


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Conv2d(1, 2, 3, padding=1)


@pytest.fixture
def image():
    return torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def cpu_flags(monkeypatch):
    """Sets what /proc/cpuinfo says."""

    def setter(text):
        monkeypatch.setattr(Path, "read_text", lambda _: text)

    return setter


@pytest.fixture
def gpu(monkeypatch):
    """Sets the compute capability of a GPU that is not there; bfloat16 came with 8.0."""

    def setter(major, minor):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: major >= 8)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (major, minor))

    return setter


def inferer(**kwargs):
    return MixedPrecisionInferer(SimpleInferer(), "cpu", **kwargs)


def test_disabled_it_gives_what_the_wrapped_inferer_gives(network, image):
    output = inferer(enabled=False)(image, network)
    assert output.dtype == torch.float32
    assert torch.equal(output, network(image))


def test_a_text_that_looks_like_a_bool_is_refused():
    with pytest.raises(TypeError, match="mixed_precision must be True or False, got 'false'"):
        inferer(enabled="false")


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_with_bfloat16_runs_in_it_and_keeps_its_weights(network, image, cpu_flags, flag):
    cpu_flags(f"flags\t\t: fpu avx512f {flag} sse2\n")
    output = inferer()(image, network)
    assert output.dtype == torch.bfloat16
    assert network.weight.dtype == torch.float32
    # bfloat16 keeps 8 significant bits: inputs, weights and output are each off by 2^-9 at most
    torch.testing.assert_close(output.float(), network(image), rtol=0.02, atol=0.02)


def test_a_cpu_without_bfloat16_runs_in_float32(network, image, cpu_flags):
    cpu_flags("flags\t\t: fpu avx2 avx512f\n")
    assert torch.equal(inferer()(image, network), network(image))


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), torch.bfloat16),  # H100
        ((8, 0), torch.bfloat16),  # A100
        ((7, 5), torch.float16),  # T4
        ((7, 0), torch.float16),  # V100
        ((6, 1), torch.float32),  # GTX 1080, no tensor cores
    ],
)
def test_a_gpu_infers_in_the_type_that_its_tensor_cores_have(gpu, capability, expected):
    gpu(*capability)
    assert find_fastest_precision("cuda:0") == expected


def test_a_gpu_without_bfloat16_trains_in_float32(gpu):
    gpu(7, 5)
    assert not MixedPrecisionInferer(SimpleInferer(), "cuda").enabled


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx512_bf16", torch.bfloat16), ("avx2", torch.float32)]
)
def test_a_cpu_infers_in_bfloat16_where_it_has_it(cpu_flags, flags, expected):
    cpu_flags(flags)
    assert find_fastest_precision("cpu") == expected


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_a_device_that_is_not_there_or_not_known_infers_in_float32(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_fastest_precision(device) == torch.float32


def test_autocast_ends_with_the_call(network, image, cpu_flags):
    cpu_flags("avx512_bf16")
    inferer()(image, network)
    assert network(image).dtype == torch.float32


def test_arguments_reach_the_network(image):
    given = []

    def network(x, *args, **kwargs):
        given.append((args, kwargs))
        return x

    inferer(enabled=False)(image, network, 1, a=2)
    assert given == [((1,), {"a": 2})]


def test_a_sliding_window_adds_up_in_float32(network, image, cpu_flags):
    cpu_flags("avx512_bf16")
    windows = SlidingWindowInferer(roi_size=(8, 8), overlap=0.5)
    output = MixedPrecisionInferer(windows, "cpu")(image, network)
    assert output.dtype == torch.float32


def test_a_training_step_in_bfloat16_gives_float32_gradients(network, image, cpu_flags):
    cpu_flags("avx512_bf16")
    target = torch.zeros(1, 1, 16, 16)
    loss = HybridLoss()(inferer()(image, network), target)
    loss.backward()
    assert loss.dtype == network.weight.grad.dtype == torch.float32
    assert network.weight.grad.isfinite().all()
