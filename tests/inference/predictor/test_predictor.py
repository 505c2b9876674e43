"""Tests of medseg.inference.predictor.predictor: how a network is made fast, and that it stays
itself."""

import logging

import pytest
import torch
from monai.inferers import SimpleInferer
from torch import nn

from medseg.inference import OverlapTileInferer, Predictor, PredictorInferer
from medseg.inference.predictor import backends, predictor
from medseg.inference.predictor.backends import is_installed, list_precisions
from medseg.inference.predictor.predictor import CachedPerWeights
from medseg.networks import TOPOLOGIES, NestedUNet

loads_openvino = pytest.mark.openvino

LOCAL = [
    "eager",
    pytest.param("openvino", marks=loads_openvino),
]  # the compiler runs in a slow test, ONNX Runtime in one of its own


def small(dims=2, **options):
    torch.manual_seed(0)
    options = {"channels": (4, 6, 8), "norm": "batch", "skip_channels": 4, **options}
    return NestedUNet(dims, 1, 3, **options).eval()


@pytest.mark.parametrize("backend", LOCAL)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_each_backend_gives_the_logits_of_the_network_at_any_shape(backend, dims, norm):
    network = small(dims, norm=norm, pad_input=True, deep_supervision=True)
    fast = Predictor(network, "cpu", backend=backend, precision="float32")
    for shape in ((1, 1, 16, 24, 12), (3, 1, 8, 16, 8), (1, 1, 9, 14, 11), (1, 1, 16, 24, 12)):
        image = torch.randn(shape[: dims + 2])
        with torch.no_grad():
            torch.testing.assert_close(fast(image), network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_onnx_runtime_gives_the_logits_of_the_network():
    network = small()
    image = torch.randn(2, 1, 24, 16)
    fast = Predictor(network, "cpu", backend="onnxruntime")
    with torch.no_grad():
        torch.testing.assert_close(fast(image), network(image), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="must divide by the total stride"):
        fast(torch.zeros(1, 1, 9, 9))


@loads_openvino
def test_openvino_holds_the_memory_for_the_last_shape_and_eager_for_none():
    shape, other = (2, 1, 16, 24), (1, 1, 16, 16)
    for backend, holding in (("openvino", True), ("eager", False)):
        fast = Predictor(small(), "cpu", backend=backend, precision="float32")
        assert not fast.holds(shape)
        fast(torch.zeros(shape))
        assert fast.holds(shape) == holding
        fast(torch.zeros(other))
        assert fast.holds(other) == holding
        assert not fast.holds(shape)


@loads_openvino
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_openvino_runs_every_topology(topology):
    network = small(topology=topology)
    image = torch.randn(2, 1, 16, 32)
    fast = Predictor(network, "cpu", backend="openvino", precision="float32")
    with torch.no_grad():
        torch.testing.assert_close(fast(image), network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("compile"), reason="there is no C++ compiler")
def test_a_compiled_network_gives_the_same_logits():
    network = small()
    image = torch.randn(1, 1, 16, 16)
    fast = Predictor(network, "cpu", backend="compile", precision="float32")
    with torch.no_grad():
        torch.testing.assert_close(fast(image), network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", LOCAL)
def test_bfloat16_is_near_float32(backend):
    if torch.bfloat16 not in list_precisions(backend, torch.device("cpu")):
        pytest.skip("this CPU has no bfloat16")
    network = small()
    image = torch.randn(1, 1, 32, 32)
    answer = Predictor(network, "cpu", backend=backend, precision="bfloat16")(image)
    with torch.no_grad():
        expected = network(image)
    error = (answer.float() - expected).abs().max() / expected.abs().max()
    assert 0 < error < 0.05  # eight bits of mantissa, through fifteen layers


@loads_openvino
def test_answers_of_openvino_do_not_change_with_the_next_call():
    fast = Predictor(small(), "cpu", backend="openvino")
    first = fast(torch.zeros(1, 1, 16, 16))
    kept = first.clone()
    fast(torch.ones(1, 1, 16, 16))
    assert torch.equal(first, kept)


def test_the_network_is_left_as_it_is():
    network = small().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    Predictor(network, "cpu", backend="eager")(torch.zeros(1, 1, 8, 8))
    assert network.training
    assert all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


@loads_openvino
@pytest.mark.parametrize("there", [True, False])
def test_the_backend_of_a_cpu_is_openvino_where_it_is_installed(there, monkeypatch):
    monkeypatch.setattr(predictor, "is_installed", lambda name: there)
    assert Predictor(small(), "cpu").backend == ("openvino" if there else "eager")


@pytest.mark.parametrize("fastest", [torch.bfloat16, torch.float32])
def test_the_precision_follows_the_machine(fastest, monkeypatch):
    monkeypatch.setattr(predictor, "find_fastest_precision", lambda device: fastest)
    assert Predictor(small(), "cpu", backend="eager").precision == fastest


def test_a_precision_that_the_backend_does_not_have_is_not_taken(monkeypatch):
    monkeypatch.setattr(predictor, "find_fastest_precision", lambda device: torch.bfloat16)
    assert Predictor(small(), "cpu", backend="onnxruntime").precision == torch.float32


def test_a_gpu_without_bfloat16_infers_in_float16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(predictor, "require_device", torch.device)
    monkeypatch.setitem(predictor.BACKENDS, "eager", lambda *given: given)
    fast = Predictor(small(), "cuda")
    assert repr(fast) == "Predictor(NestedUNet, cuda, eager, float16)"


@pytest.mark.parametrize("backend", ["eager", "openvino", "onnxruntime"])
def test_nothing_is_exported_or_converted_before_the_first_image(backend, monkeypatch):
    for name in ("export", "convert", "_get_core"):
        monkeypatch.setattr(backends, name, lambda *given: pytest.fail("converted"))
    assert Predictor(small(), "cpu", backend=backend, precision="float32").backend == backend


def test_the_weights_are_those_at_the_time_of_making():
    network = small()
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        expected = network(image)
        fast = Predictor(network, "cpu", backend="eager", precision="float32")
        next(network.parameters()).zero_()
    torch.testing.assert_close(fast(image), expected, rtol=1e-4, atol=1e-5)


def test_it_says_what_it_chose():
    fast = Predictor(small(), "cpu", backend="eager", precision="float32")
    assert repr(fast) == "Predictor(NestedUNet, cpu, eager, float32)"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"backend": "tensorrt"},
            "must be one of auto, eager, .*, got 'tensorrt': choose one",
        ),
        (
            {"backend": "eager", "precision": "float16"},
            "this machine's cpu must be one of auto, float32, bfloat16, got 'float16': choose one",
        ),
        (
            {"backend": "onnxruntime", "precision": "bfloat16"},
            "must be one of auto, float32, got 'bfloat16': choose one",
        ),
    ],
)
def test_what_is_not_offered_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        Predictor(small(), "cpu", **options)


def test_a_backend_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(predictor, "is_installed", lambda *given: False)
    with pytest.raises(ValueError, match=r"'openvino' needs its packages: pip install 'medseg\["):
        Predictor(small(), "cpu", backend="openvino")


def test_compile_without_a_compiler_is_refused_with_what_it_needs(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"'compile' needs a C\+\+ compiler: install g\+\+"):
        Predictor(small(), "cpu", backend="compile")


def test_openvino_in_bfloat16_is_refused_where_it_would_compute_in_float32(monkeypatch):
    monkeypatch.setattr(backends, "gains_by_bfloat16", lambda device: False)
    with pytest.raises(
        ValueError, match="'openvino' on this machine's cpu must be one of auto, float3"
    ):
        Predictor(small(), "cpu", backend="openvino", precision="bfloat16")


def test_a_backend_of_the_cpu_is_refused_on_another_device(monkeypatch):
    monkeypatch.setattr(predictor, "require_device", torch.device)
    match = "'openvino' does not run on device 'cuda:0': choose one of auto, eager, compile"
    with pytest.raises(ValueError, match=match):
        Predictor(small(), "cuda:0", backend="openvino")


@pytest.mark.parametrize("backend", ["auto", "eager"])
def test_a_device_that_no_backend_runs_on_is_refused(backend):
    match = "no backend runs on device 'meta': pass a device of cpu or cuda"
    with pytest.raises(ValueError, match=match):
        Predictor(small(), "meta", backend=backend)


@pytest.mark.parametrize("device", ["cuda:99", "xpu:99", "gpu"])
def test_a_device_that_is_not_there_is_refused(device):
    for make in (lambda: Predictor(small(), device), lambda: PredictorInferer(None, device)):
        with pytest.raises(ValueError, match=rf"device '{device}' cannot be used .* machine has"):
            make()


def test_onnx_runtime_takes_our_networks_alone():
    with pytest.raises(ValueError, match="needs a NestedUNet, got Conv2d"):
        Predictor(nn.Conv2d(1, 1, 1), "cpu", backend="onnxruntime")


@pytest.mark.parametrize("backend", LOCAL)
def test_an_image_that_the_network_refuses_is_refused(backend):
    fast = Predictor(small(), "cpu", backend=backend)
    with pytest.raises(ValueError, match="must divide by the total stride"):
        fast(torch.zeros(1, 1, 9, 9))


def test_an_inferer_runs_with_the_predictor():
    network = small()
    image = torch.randn(1, 1, 40, 20)
    inner = OverlapTileInferer(32, halo=4)
    fast = PredictorInferer(inner, "cpu", enabled=False)
    torch.testing.assert_close(fast(image, network), inner(image, network), rtol=1e-4, atol=1e-5)
    assert fast.make_predictor(network).precision == torch.float32


def test_the_halo_is_worked_out_from_the_network_behind_the_predictor():
    network = small()
    inferer = OverlapTileInferer(128)
    image = torch.randn(1, 1, 200, 30)
    fast = Predictor(network, "cpu", precision="float32")
    torch.testing.assert_close(inferer(image, fast), inferer(image, network), rtol=1e-4, atol=1e-5)


def test_new_weights_make_a_new_predictor():
    network = small()
    image = torch.randn(1, 1, 16, 16)
    inferer = PredictorInferer(SimpleInferer(), "cpu", backend="eager", enabled=False)
    before, same = inferer.make_predictor(network), inferer.make_predictor(network)
    with torch.no_grad():
        next(network.parameters()).mul_(2)
    assert before is same
    torch.testing.assert_close(inferer(image, network), network(image), rtol=1e-4, atol=1e-5)
    assert inferer.make_predictor(network) is not before
    assert inferer.make_predictor(small()) is not before


def test_how_a_network_runs_is_logged_once(caplog):
    inferer = PredictorInferer(SimpleInferer(), "cpu", backend="eager", enabled=False)
    network = small()
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            inferer(torch.zeros(1, 1, 16, 16), network)
    assert caplog.messages == ["the network runs on cpu by eager in float32"]


def test_weights_in_place_of_the_old_ones_make_a_new_predictor():
    network = small()
    inferer = PredictorInferer(SimpleInferer(), "cpu", backend="eager", enabled=False)
    image = torch.randn(1, 1, 16, 16)
    inferer(image, network)
    with torch.no_grad():
        weights = {key: value.clone() * 2 for key, value in network.state_dict().items()}
    network.load_state_dict(weights, assign=True)
    torch.testing.assert_close(inferer(image, network), network(image), rtol=1e-4, atol=1e-5)


def test_enabled_is_true_or_false():
    with pytest.raises(TypeError, match="mixed_precision"):
        PredictorInferer(SimpleInferer(), "cpu", enabled="yes")


def test_anything_but_a_network_is_refused():
    with pytest.raises(TypeError, match="made of a network, got str: pass an nn"):
        Predictor("network", "cpu")


def test_an_inferer_refuses_a_backend_before_there_is_a_network():
    with pytest.raises(ValueError, match=r"backend must be one of auto, .* got 'openvin': pass"):
        PredictorInferer(SimpleInferer(), "cpu", backend="openvin")


def test_what_is_cached_is_made_once_for_a_network_and_again_for_another():
    cached = CachedPerWeights(lambda network: object())
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    assert cached(one) is cached(one)
    assert cached(one) is not cached(other)


def test_what_is_cached_is_made_again_when_weights_or_statistics_have_changed():
    cached = CachedPerWeights(lambda network: object())
    network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.BatchNorm1d(2))
    made = [cached(network)]
    with torch.no_grad():
        network[0].weight += 1
    made.append(cached(network))
    network.train()(torch.rand(2, 1, 4))
    made.append(cached(network.eval()))
    network.load_state_dict(network.state_dict())
    made.append(cached(network))
    assert len(set(map(id, made))) == 4
    assert cached(network) is made[-1]


def test_a_network_made_in_inference_mode_is_cached_too():
    cached = CachedPerWeights(lambda network: object())
    with torch.inference_mode():
        network = nn.Linear(1, 1)
    made = cached(network)
    assert cached(network) is made
    with torch.inference_mode():
        network.weight = nn.Parameter(torch.zeros(1, 1), requires_grad=False)
    assert cached(network) is not made
