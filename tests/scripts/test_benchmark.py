"""Tests of scripts/benchmark.py: it compares equal networks, and its arithmetic is right."""

import json
import math

import nibabel
import numpy as np
import pytest
import torch

from medseg.networks import NestedUNet


@pytest.fixture(scope="module")
def benchmark(script):
    return script("benchmark")


@pytest.fixture
def tiny(benchmark, monkeypatch):
    """Workloads and networks of the same kind that take no time."""
    workload = benchmark.Workload
    workloads = {
        "slices": workload("slices", 2, (32, 32)),
        "crop": workload("a crop", 3, (32, 32, 32), (16, 24)),
        "training-2d": workload("a step", 2, (32, 32), steps=4),
    }
    monkeypatch.setattr(benchmark, "WORKLOADS", workloads)
    monkeypatch.setattr(benchmark, "CHANNELS", (4, 4, 8, 16, 32))
    monkeypatch.setattr(benchmark, "MATRIX", 64)
    monkeypatch.setattr(benchmark, "rate", lambda network, workload: RATE)
    return workloads


RATE = {"gflops": 30.0, "matrix_gflops": 40.0, "window_gflop": 1.0}


@pytest.fixture
def image(tmp_path):
    values = np.random.default_rng(0).random((32, 32, 20), dtype=np.float32)
    np.save(tmp_path / "image.npy", values)
    return tmp_path / "image.npy"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("given", [True, False])
def test_the_networks_give_the_same_logits(benchmark, tiny, tmp_path, dims, given):
    weights = None
    if given:
        torch.manual_seed(1)
        trained = NestedUNet(dims, 1, benchmark.CLASSES, channels=benchmark.CHANNELS)
        weights = str(tmp_path / "model.pt")
        torch.save(trained.state_dict(), weights)
    networks = [benchmark.build(dims, way, weights, training=False) for way in benchmark.WAYS]
    image = torch.randn(1, 1, *[32] * dims)
    with torch.no_grad():
        stock, tuned, ours = (network(image) for network in networks)
        assert torch.equal(stock, tuned)
        torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-4)
        if given:
            torch.testing.assert_close(ours, trained.eval()(image))


def test_the_ways_differ_in_what_they_say_they_do(benchmark, tiny):
    stock = benchmark.theirs(tiny["crop"], tuned=False)
    tuned = benchmark.theirs(tiny["crop"], tuned=True)
    assert (stock.overlap, stock.sw_batch_size, stock.mode) == (0.5, 4, "constant")
    assert (tuned.overlap, tuned.sw_batch_size, tuned.mode) == (0.25, 1, "gaussian")
    assert benchmark.ours(tiny["slices"]).tiling.slices == 2


@pytest.mark.parametrize("name", ["slices", "crop"])
def test_every_way_segments_the_same_voxels_alike(benchmark, tiny, image, name):
    maps = []
    for way in (benchmark.STOCK, benchmark.OURS):
        done = benchmark.run_job(name=name, way=way, image=str(image), weights=None)
        assert done["seconds"] > 0
        assert done["network"] == (RATE if way == benchmark.OURS else None)
        maps.append(np.load(done["label"]))
    shape = (32, 32, 20) if name == "slices" else (16, 24, 20)
    assert [(found.shape, found.dtype) for found in maps] == [(shape, np.uint8)] * 2
    if name == "slices":  # a slice is one window, so the two differ by the precision alone
        assert (maps[0] == maps[1]).mean() > 0.9


def test_a_training_job_tells_the_loss_of_each_step(benchmark, tiny, image):
    ways = (benchmark.STOCK, benchmark.OURS)
    given = {"name": "training-2d", "image": str(image), "weights": None}
    stock, ours = (benchmark.run_job(way=way, **given) for way in ways)
    assert len(stock["losses"]) == len(ours["losses"]) == 4
    assert stock["label"] == ""
    assert ours["losses"] == pytest.approx(stock["losses"], rel=0.02)  # bfloat16 in ours
    assert math.isfinite(stock["seconds"])


def test_dice_is_that_of_the_definition(benchmark):
    a, b = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 1, 1, 0])
    assert benchmark.dice(a, b) == 2 * 2 / (3 + 3)
    assert benchmark.dice(a, a) == 1
    assert benchmark.dice(a, 0 * a) == 0
    assert benchmark.dice(0 * a, 0 * a) == 1


def test_the_middle_of_a_volume_is_taken(benchmark):
    volume = torch.arange(10.0).reshape(1, 1, 10, 1, 1).expand(1, 1, 10, 4, 3)
    middle = benchmark.centre(volume, (4, 2))
    assert middle.shape == (1, 1, 4, 2, 3)
    assert middle[0, 0, :, 0, 0].tolist() == [3, 4, 5, 6]
    assert benchmark.centre(volume, None).shape == volume.shape


def test_the_volume_is_windowed_to_0_and_1(benchmark, tmp_path):
    values = np.array([-1000, -160, 40, 240, 3000], dtype=np.int16).reshape(5, 1, 1)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "image.nii.gz")
    written = np.load(benchmark.prepare(tmp_path / "image.nii.gz", tmp_path / "image.npy"))
    assert written.dtype == np.float32
    assert sorted(written.flatten().tolist()) == [0, 0, 0.5, 1, 1]


def test_medians_of_the_runs_and_agreement_come_to_the_page(benchmark, tmp_path, monkeypatch):
    seconds = {way: iter(times) for way, times in zip(benchmark.WAYS, TIMES, strict=True)}
    peaks = dict(zip(benchmark.WAYS, (8.0, 4.0, 2.0), strict=True))
    order = []

    def measure(name, way, image, args):
        order.append(way)
        label = tmp_path / f"{benchmark.WAYS.index(way)}.npy"
        np.save(label, np.array([1, 1, way == benchmark.STOCK], dtype=np.uint8))
        network = RATE if way == benchmark.OURS else None
        return {
            "seconds": next(seconds[way]),
            "peak_gib": peaks[way],
            "label": str(label),
            "network": network,
        }

    monkeypatch.setattr(benchmark, "in_process", measure)
    monkeypatch.setattr(benchmark, "prepare", lambda volume, path: path)
    threads = torch.get_num_threads()
    given = ["--volume", "data/case/image.nii.gz", "--workloads", "slices", "--rounds", "3"]
    assert benchmark.main([*given, "--threads", "1", "--out", str(tmp_path / "out")]) == 0
    torch.set_num_threads(threads)
    assert order == [*benchmark.WAYS, *benchmark.WAYS[1:], *benchmark.WAYS[1:]]
    page = (tmp_path / "out" / "inference.md").read_text()
    assert "| MONAI as documented | 60.0 | 1.0 | 8.00 | 1.00 | 1.0000 |" in page
    assert "| MONAI tuned by hand | 20.0 | 3.0 | 4.00 | 0.50 | 0.8000 |" in page  # 2 x 2 / (3 + 2)
    assert "| medseg | 4.0 | 15.0 | 2.00 | 0.25 | 0.8000 |" in page
    assert "A window: 30 GFLOP/s, 75% of a matrix product." in page
    numbers = json.loads((tmp_path / "out" / "inference.json").read_text())
    assert (numbers["volume"], numbers["weights"]) == ("case", "random")
    assert numbers["workloads"]["slices"]["rows"]["medseg"]["runs"] == [4, 3, 50]
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page


TIMES = ([60], [20, 10, 30], [4, 3, 50])


def test_a_volume_is_needed(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.main([])
    assert "--volume" in capsys.readouterr().err
