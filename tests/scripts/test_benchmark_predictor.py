"""Tests of scripts/benchmark_predictor.py: the levers are what they are called, and agreement."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from medseg.networks import NestedUNet

CPU = torch.device("cpu")


@pytest.fixture
def levers(script, monkeypatch):
    """The script with small networks, and PyTorch alone as a backend."""
    module = script("benchmark_predictor")
    monkeypatch.setattr(module, "CHANNELS", (4, 8, 16))
    monkeypatch.setattr(module, "SIZES", {2: (16, 24), 3: (16, 16, 16)})
    monkeypatch.setattr(module, "BACKENDS", ["eager"])
    return module


@pytest.mark.parametrize("dims", [2, 3])
def test_every_way_gives_the_logits_of_the_network(levers, dims):
    network = NestedUNet(dims, 1, 2, channels=(4, 8, 16), norm="batch").eval()
    image = torch.rand(1, 1, *[16] * dims)
    made = levers.ways(network, CPU)
    assert len(made) == 7
    with torch.inference_mode():
        expected = network(image)
        for name, make in made.items():
            tolerance = 1e-5 if "float32" in name else 0.05
            torch.testing.assert_close(make()(image).float(), expected, atol=tolerance, rtol=0)


def test_the_layout_is_that_of_the_name_and_the_network_stays_as_it_is(levers):
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).eval()
    seen = []
    network[1].register_forward_hook(lambda _, given, out: seen.append(given[0].stride()))
    levers.ways(network, CPU)["PyTorch, channels last, float32"]()(torch.rand(1, 2, 8, 8))
    network(torch.rand(1, 2, 8, 8))
    assert seen == [(108, 1, 18, 3), (108, 36, 6, 1)]  # 3 channels of 6 x 6


def test_every_backend_that_is_there_is_compared_in_all_that_it_has(script, monkeypatch):
    module = script("benchmark_predictor")
    there = {"eager": True, "compile": True, "openvino": True, "onnxruntime": False}
    monkeypatch.setattr(module, "is_installed", lambda backend, kind: there[backend])
    monkeypatch.setattr(
        "medseg.inference.predictor.backends.gains_by_bfloat16", lambda device: False
    )
    assert list(module.predictors(nn.Identity(), CPU)) == [
        "eager, float32",
        "eager, bfloat16",
        "compile, float32",
        "compile, bfloat16",
        "openvino, float32",
    ]


def test_label_maps_are_those_of_each_predictor(levers, monkeypatch):
    resets = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(None))
    images = [torch.tensor([1, 0, 2]), torch.tensor([3])]
    made = {"eager, float32": lambda: lambda x: x, "compile, float32": lambda: lambda x: x + 1}
    images = [image.to(torch.uint8)[None] for image in images]
    maps = levers.label_maps(made, images, lambda image, run: run(image), {"a": [1], "b": [2, 3]})
    assert [m.tolist() for m in maps["eager, float32"]] == [[1, 0, 2], [3]]
    assert [m.tolist() for m in maps["compile, float32"]] == [[2, 1, 3], [4]]
    assert len(resets) == 1


@pytest.mark.parametrize(
    ("classes", "expected"),
    [({"a": [1], "b": [2]}, [[0, 1, 2]]), ({"a": [1, 2], "b": [2], "c": [3]}, [[3, 3, 3]])],
    ids=["classes", "regions"],
)
def test_logits_are_compared_as_labels(levers, classes, expected):
    logits = torch.tensor([[[3.0, 0, 0], [2, 4, 0], [1, 1, 5]]])
    made = {"eager, float32": lambda: lambda x: x}
    maps = levers.label_maps(made, [logits], lambda image, run: run(image), classes)
    assert [m.tolist() for m in maps["eager, float32"]] == [expected]


def test_agreement_is_dice_over_all_voxels_and_in_the_worst_case(levers):
    reference = [np.array([1, 1, 1, 0, 2]), np.array([1, 0, 0, 0, 0])]
    maps = [np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 0])]
    found = levers.compared(maps, reference, 2)
    assert found["pooled"] == [2 * 4 / (5 + 4), 0]
    assert found["worst"] == [2 * 1 / (2 + 1), 0]


def test_the_page_has_times_and_agreement(levers, tmp_path, monkeypatch):
    row = {"pooled": [0.9995], "worst": [0.998]}
    found = {"bundle": "liver", "cases": 3, "classes": ["liver"], "rows": {"eager, bfloat16": row}}
    monkeypatch.setattr(levers, "agreement", lambda *given: found)
    monkeypatch.setattr(levers, "matrix_gflops", lambda kind, device: 100.0)
    threads = torch.get_num_threads()
    words = ["--rounds", "1", "--threads", "1", "--agree", "bundles/liver", "ct"]
    assert levers.main([*words, "--out", str(tmp_path)]) == 0
    torch.set_num_threads(threads)
    page = (tmp_path / "predictor.md").read_text()
    assert "| liver | 3 | eager, bfloat16 | liver | 0.99950 | 0.99800 |" in page
    assert "## 16x24" in page
    assert "| PyTorch, float32 | " in page
    numbers = json.loads((tmp_path / "predictor.json").read_text())
    rows = numbers["times"][1]["rows"]
    assert rows["PyTorch, float32"]["faster"] == 1
    assert set(numbers["times"][1]["matrix_gflops"]) == {"float32", "bfloat16"}
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page
