"""Tests of medseg.inference.tiles.memory_plan."""

import subprocess
import sys
from math import prod

import pytest
import torch

from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.tiles import memory_plan
from medseg.inference.tiles.memory_plan import estimate_network_bytes, parse_bytes
from medseg.networks import NestedUNet
from medseg.networks.analysis.footprint import measure_footprint

MIB = 2**20

pytestmark = pytest.mark.usefixtures("windows_alone")


def test_labels_take_a_byte_a_voxel_and_logits_four_a_class(network):
    image = torch.zeros(1, 1, 64, 32, 32)
    labels = OverlapTileInferer(32, halo=4, output="labels").plan(image, network)
    logits = OverlapTileInferer(32, halo=4).plan(image, network)
    assert labels.answer_bytes == 64 * 32 * 32 + 10 * prod(labels.layout.size)
    assert logits.answer_bytes == 64 * 32 * 32 * 4 * 3
    assert labels.image_bytes == 64 * 32 * 32 * 4


def test_blending_takes_a_slab_whatever_the_length(network):
    inferer = OverlapTileInferer(16, mode="blend", output="labels")
    short, long = (
        inferer.plan(torch.zeros(1, 1, n, 32, 32), network).answer_bytes - n * 32 * 32
        for n in (64, 640)
    )
    weighed = 4 * 16**3 * 3
    labels = 10 * 16**3
    assert short == long == 4 * (16 * 32 * 32) * (3 + 1) + weighed + labels


def test_the_network_takes_its_tensors_and_their_workspace(network):
    image = torch.zeros(1, 1, 64, 32, 32)
    found = OverlapTileInferer((32, 32, 32), halo=0, batch_size=2).plan(image, network)
    tensors = measure_footprint(network, (2, 1, 32, 32, 32)).peak_bytes
    logits = 4 * 2 * 3 * 32**3  # of two windows of three classes, as the answer
    assert found.network_bytes == pytest.approx(2.2 * tensors + logits, rel=1e-6)


def test_what_a_first_pass_takes_besides_is_reserved(network, monkeypatch):
    shape = (1, 1, 32, 32, 32)
    fast = Predictor(network, "cpu", backend="openvino", precision="float32")
    bare = estimate_network_bytes(network, shape)[0], estimate_network_bytes(fast, shape)[0]
    monkeypatch.setattr(memory_plan, "RESERVE_ELSE", 7)
    monkeypatch.setattr(memory_plan, "RESERVE_BYTES", {"openvino": 5})
    assert (estimate_network_bytes(network, shape)[0], estimate_network_bytes(fast, shape)[0]) == (
        bare[0] + 7,
        bare[1] + 5,
    )


def test_bfloat16_takes_less(network, monkeypatch):
    monkeypatch.setattr(
        "medseg.inference.predictor.backends.gains_by_bfloat16", lambda device: True
    )
    shape = (1, 1, 32, 32, 32)
    full = estimate_network_bytes(
        Predictor(network, "cpu", backend="openvino", precision="float32"), shape
    )
    half = estimate_network_bytes(
        Predictor(network, "cpu", backend="openvino", precision="bfloat16"), shape
    )
    logits = 3 * 4 * 3 * 32**3  # of OpenVINO and of two answers, float32 in all three
    assert full == (pytest.approx(2 * half[0] - logits, rel=0.01), 3)


def test_a_level_is_planned_as_the_pruned_network():
    network = NestedUNet(3, 1, 3, channels=(8, 16, 32), deep_supervision=True).eval()
    image = torch.zeros(1, 1, 32, 32, 32)
    found = OverlapTileInferer(32, halo=0, level=1).plan(image, network)
    assert found.network_bytes == estimate_network_bytes(network.prune(1), (1, 1, 32, 32, 32))[0]
    assert found.network_bytes < estimate_network_bytes(network, (1, 1, 32, 32, 32))[0]


def test_slices_are_planned_as_slices():
    network = NestedUNet(2, 1, 3, channels=(8, 16, 32)).eval()
    image = torch.zeros(1, 1, 64, 32, 50)
    found = OverlapTileInferer((64, 32), halo=0, slices=2, batch_size=4).plan(image, network)
    assert found.layout.count == 50
    assert found.layout.size == (64, 32, 1)
    assert found.network_bytes == estimate_network_bytes(network, (4, 1, 64, 32))[0]


def test_the_plan_can_be_read(network, tmp_path):
    image = torch.zeros(1, 1, 64, 64, 40)
    text = str(OverlapTileInferer(32, halo=3).plan(image, network))
    assert text.startswith("18 windows of 32x32x28, halo 3x3x3, 1 at a time; memory: at most ")
    assert text.endswith("result 2 MiB); the image takes another 640 KiB")
    blended = str(OverlapTileInferer(32, mode="blend").plan(image, network))
    assert "18 windows of 32x32x32, 1 at a time" in blended
    inferer = OverlapTileInferer(32, halo=0, probabilities=lambda _: tmp_path / "p.npy")
    assert str(inferer.plan(image, network)).endswith("; 960 KiB on the disk")


MEASURE = """
import sys, torch
from torch import nn
from medseg.inference import OverlapTileInferer

class Point(nn.Conv3d):
    total_stride = (1, 1, 1)

def resident(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

torch.set_num_threads(1)
network = Point(1, 20, 1).eval()
options = {"mode": sys.argv[1], "halo": 8, "output": "labels", "edge": "network"}
if len(sys.argv) > 2:
    options["probabilities"] = lambda _: sys.argv[2]
inferer = OverlapTileInferer(64, **options)
inferer(torch.rand(1, 1, 80, 80, 80), network)  # whatever is loaded or made once
image = torch.rand(1, 1, 160, 160, 200)
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
inferer(image, network)
print(resident("VmHWM") - before, inferer.plan(image, network).needed_bytes)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")
@pytest.mark.parametrize(("mode", "kept"), [("crop", True), ("blend", False)])
def test_the_peak_is_within_the_plan(tmp_path, mode, kept):
    words = [mode, str(tmp_path / "p.npy")] if kept else [mode]
    command = [sys.executable, "-c", MEASURE, *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    measured, planned = map(int, run.stdout.split())
    assert measured < planned - 256 * MIB  # the allocator is not asked to keep pages here
    assert (tmp_path / "p.npy").exists() == kept


def test_a_function_has_no_footprint():
    found = OverlapTileInferer(8, halo=0).plan(torch.zeros(1, 1, 16), lambda x: x)
    assert found.network_bytes is None
    assert "network unknown" in str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(1000, 1000), ("6 GiB", 6 * 2**30), ("1.5GB", 1_500_000_000), ("512 mib", 512 * MIB)],
)
def test_memory_is_read_with_its_unit(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "six", "6 apples", "-1", "1e9"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValueError, match="is not an amount of memory"):
        OverlapTileInferer(8, memory_limit=text)


@pytest.mark.parametrize("options", [{"halo": 4}, {"mode": "blend"}])
def test_a_scripted_network_runs_without_an_estimate_of_its_memory(network, options):
    image = torch.rand(1, 1, 24, 20, 16)
    inferer = OverlapTileInferer(16, **options)
    scripted = torch.jit.script(network)
    assert inferer.plan(image, scripted).network_bytes is None
    with torch.no_grad():
        torch.testing.assert_close(inferer(image, scripted), inferer(image, network))
