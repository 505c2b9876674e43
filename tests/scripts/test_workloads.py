"""Tests of scripts/_workloads.py: the ways compute the same, and what they cost is counted."""

import math

import numpy as np
import pytest
import torch

from medseg.inference.predictor.precision import find_fastest_precision
from medseg.networks import NestedUNet
from medseg.networks.analysis.cost import count_multiply_adds


@pytest.fixture
def workloads(script, monkeypatch):
    """Workloads and networks of the same kind that take no time."""
    module = script("_workloads")
    workload = module.Workload
    tiny = {
        "slices": workload("slices", 2, (32, 32), (32, 32)),
        "crop": workload("a crop", 3, (32, 32, 32), (32, 32, 32), crop=(16, 24)),
        "training-2d": workload("a step", 2, (32, 32), steps=4),
        "training-3d": workload("a step", 3, (32, 32, 32), steps=4),
    }
    monkeypatch.setattr(module, "WORKLOADS", tiny)
    monkeypatch.setattr(module, "CHANNELS", (4, 4, 8, 16, 32))
    monkeypatch.setattr(module, "MATRIX", 64)
    return module


@pytest.fixture
def image(tmp_path):
    values = np.random.default_rng(0).random((32, 32, 32), dtype=np.float32)
    np.save(tmp_path / "image.npy", values)
    np.save(tmp_path / "truth.npy", values > 0.7)
    return tmp_path / "image.npy"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("given", [True, False])
def test_the_networks_give_the_same_logits(workloads, tmp_path, dims, given):
    weights = None
    if given:
        torch.manual_seed(1)
        trained = NestedUNet(
            dims, 1, workloads.CLASSES, channels=workloads.CHANNELS, norm=workloads.NORM
        )
        weights = str(tmp_path / "model.pt")
        torch.save(trained.state_dict(), weights)
    ways = (workloads.STOCK, workloads.TUNED, workloads.OURS)
    networks = [workloads.build(dims, way, weights, training=False) for way in ways]
    image = torch.randn(1, 1, *[32] * dims)
    with torch.no_grad():
        stock, tuned, ours = (network(image) for network in networks)
        torch.testing.assert_close(tuned, stock, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-4)
        if given:
            torch.testing.assert_close(ours, trained.eval()(image), rtol=1e-4, atol=1e-4)


def test_the_ways_differ_in_what_they_say_they_do(workloads):
    crop, slices = workloads.WORKLOADS["crop"], workloads.WORKLOADS["slices"]
    stock, tuned = (workloads.theirs(crop, tuned=tuned) for tuned in (False, True))
    assert (stock.overlap, stock.sw_batch_size, stock.mode) == (0.5, 4, "constant")
    assert (tuned.overlap, tuned.sw_batch_size, tuned.mode) == (0.25, 1, "gaussian")
    build = workloads.build
    stock, tuned, ours = (
        next(w for w in build(2, way, None, training=False).parameters() if w.shape[1:3] == (4, 3))
        for way in (workloads.STOCK, workloads.TUNED, workloads.OURS)
    )
    assert [w.is_contiguous() for w in (stock, tuned, ours)] == [True, False, False]
    assert workloads.precision_of(workloads.STOCK) == torch.float32
    assert workloads.precision_of(workloads.TUNED) == find_fastest_precision("cpu")
    assert workloads.ours(slices).tiling.slices == 2
    assert workloads.ours(crop, skip=0).tiling.skip == 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["slices", "crop"])
def test_every_way_segments_the_same_voxels_alike(
    workloads, image, name, monkeypatch, torn, tmp_path
):
    dims = workloads.WORKLOADS[name].dims
    torch.manual_seed(0)
    network = NestedUNet(
        dims, 1, workloads.CLASSES, channels=workloads.CHANNELS, norm=workloads.NORM
    )
    voxels = torch.from_numpy(np.load(image))[None, None]
    torn(network, voxels[..., 0] if dims == 2 else voxels)
    weights = str(tmp_path / "model.pt")
    torch.save(network.state_dict(), weights)
    kept = []
    monkeypatch.setattr(workloads, "keep_freed_pages", lambda: kept.append(way))
    maps = []
    for way in workloads.SEGMENTING:
        done = workloads.run_job(name=name, way=way, image=str(image), weights=weights)
        assert done["seconds"] >= done["network_seconds"] > 0
        assert min(done["network_gflops"], done["matrix_gflops"], done["peak_gib"]) > 0
        ours = way in (workloads.OURS, workloads.SKIPPING)
        assert done["run"].startswith("Predictor(NestedUNet, cpu, " if ours else "BasicUNetPlus")
        maps.append(np.load(done["label"]))
    assert kept == list(workloads.SEGMENTING[1:])  # all but MONAI as documented
    assert [0.2 < found.mean() < 0.8 for found in maps] == [True] * 4
    shape = (32, 32, 32) if name == "slices" else (16, 24, 32)
    assert [(found.shape, found.dtype) for found in maps] == [(shape, np.uint8)] * 4
    least = 0.9 if name == "slices" else 0.7  # a slice is one window, but for the precision
    assert min((maps[0] == found).mean() for found in maps) > least


def test_operations_are_those_of_all_passes(workloads):
    network = NestedUNet(2, 1, 2, channels=(4, 8, 16))
    meter = workloads.Meter("PyTorch", torch.float32)
    for batch in (3, 1):
        meter.time(network, torch.zeros(batch, 1, 16, 16))
    one = 2 * count_multiply_adds(network, (1, 1, 16, 16))
    assert meter.flop(network)["tflop"] == pytest.approx(4 * one / 1e12)
    assert [shape[0] for shape, _ in meter.passes] == [3, 1]


@pytest.mark.long
@pytest.mark.parametrize("name", ["training-2d", "training-3d"])
def test_a_training_job_tells_the_loss_of_each_step(workloads, image, name):
    given = {"name": name, "image": str(image), "weights": None}
    stock, tuned, ours, again = (
        workloads.run_job(way=way, **given) for way in workloads.WORKLOADS[name].ways
    )
    assert {len(done["losses"]) for done in (stock, tuned, ours, again)} == {4}
    assert ours["losses"] == pytest.approx(stock["losses"], rel=0.02)  # bfloat16 in ours
    assert again["losses"] != pytest.approx(stock["losses"], rel=0.02)
    assert math.isfinite(stock["seconds"])


def test_the_middle_of_a_volume_is_taken(workloads):
    volume = torch.arange(10.0).reshape(1, 1, 10, 1, 1).expand(1, 1, 10, 4, 3)
    middle = workloads.centre(volume, (4, 2))
    assert middle.shape == (1, 1, 4, 2, 3)
    assert middle[0, 0, :, 0, 0].tolist() == [3, 4, 5, 6]
    assert workloads.centre(volume, None).shape == volume.shape


def test_a_patch_is_a_window_of_the_volume_or_of_one_slice(workloads):
    generator = torch.Generator().manual_seed(0)
    cubes = [workloads.anywhere((6, 5, 4), (3, 3, 3), generator) for _ in range(100)]
    assert {tuple(s.stop - s.start for s in cube) for cube in cubes} == {(3, 3, 3)}
    assert [{cube[axis].start for cube in cubes} for axis in range(3)] == [
        {0, 1, 2, 3},
        {0, 1, 2},
        {0, 1},
    ]
    flat = workloads.anywhere((6, 5, 4), (4, 2), generator)
    assert [s.stop - s.start for s in flat] == [4, 2, 1]


def test_the_organ_is_what_is_learnt(workloads, image):
    given = {"name": "training-2d", "way": workloads.STOCK, "image": str(image), "weights": None}
    first = workloads.run_job(**given)["losses"]
    np.save(image.with_name("truth.npy"), np.zeros((32, 32, 32), bool))
    assert workloads.run_job(**given)["losses"] != first
