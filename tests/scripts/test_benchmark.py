"""Tests of scripts/benchmark.py: runs in turn, medians and agreement, and the page of them."""

import json

import nibabel
import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def benchmark(script):
    return script("benchmark")


def test_dice_is_that_of_the_definition(benchmark):
    a, b = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 1, 1, 0])
    assert benchmark.dice(a, b) == 2 * 2 / (3 + 3)
    assert benchmark.dice(a, a) == 1
    assert benchmark.dice(a, 0 * a) == 0
    assert benchmark.dice(0 * a, 0 * a) == 1


def test_losses_are_compared_in_the_second_half(benchmark):
    assert benchmark.difference([9, 9, 1, 2], [0, 0, 2, 4]) == 1.5


def test_the_volume_is_windowed_to_0_and_1(benchmark, tmp_path):
    values = np.array([-1000, -160, 40, 240, 3000], dtype=np.int16).reshape(5, 1, 1)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "image.nii.gz")
    written = np.load(benchmark.prepare(tmp_path / "image.nii.gz", tmp_path / "image.npy"))
    assert written.dtype == np.float32
    assert sorted(written.flatten().tolist()) == [0, 0, 0.5, 1, 1]


SECONDS = ([60], [20, 10, 30], [4, 3, 50], [2, 2, 2])
PEAKS = (8.0, 4.0, 2.0, 2.0)


@pytest.fixture
def measured(benchmark, tmp_path, monkeypatch):
    """A benchmark whose runs take no time, and the order in which they came."""
    order = []
    seconds = {name: [iter(times) for times in SECONDS] for name in benchmark.WORKLOADS}

    def measure(name, way, image, weights, threads):
        ways = benchmark.WORKLOADS[name].ways
        n = ways.index(way)
        order.append(way)
        done = {"seconds": next(seconds[name][n]), "peak_gib": PEAKS[n]}
        if benchmark.WORKLOADS[name].steps:
            return done | {"losses": [1.0, 0.5 + n / 10]}
        label = tmp_path / f"{n}.npy"
        np.save(label, np.array([1, 1, n == 0], dtype=np.uint8).reshape(3, 1, 1))
        cost = {"tflop": 6.0, "network_seconds": 1.5, "network_gflops": 30, "matrix_gflops": 40}
        return done | {"label": str(label), "run": "Predictor(NestedUNet)"} | cost

    monkeypatch.setattr(benchmark, "in_process", measure)
    monkeypatch.setattr(benchmark, "prepare", lambda volume, path: path)
    return order


def run(benchmark, tmp_path, *more):
    threads = torch.get_num_threads()
    given = ["--volume", str(tmp_path / "case/image.nii.gz"), "--rounds", "3"]
    given += ["--stock-rounds", "1", *more]
    assert benchmark.main([*given, "--threads", "1", "--out", str(tmp_path / "out")]) == 0
    torch.set_num_threads(threads)
    page = (tmp_path / "out" / "inference.md").read_text()
    return page, json.loads((tmp_path / "out" / "inference.json").read_text())["workloads"]


def test_medians_of_the_runs_and_agreement_come_to_the_page(benchmark, measured, tmp_path):
    label = tmp_path / "label.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 1, 1), np.uint8), np.eye(4)), label)
    page, numbers = run(benchmark, tmp_path, "--workloads", "slices", "--label", str(label))
    ways = benchmark.WORKLOADS["slices"].ways
    assert measured == [*ways, *ways[1:], *ways[1:]]
    rest = "6.0 | 1.5 | 30 | 75% |"
    assert f"| MONAI as documented | 60.0 | 1.0 | 0.3 | 8.00 | 1.00 | {rest} 1.0000 |" in page
    assert f"| MONAI tuned by hand | 20.0 | 3.0 | 1.0 | 4.00 | 0.50 | {rest} 0.8000 |" in page
    assert f"| medseg | 4.0 | 15.0 | 5.0 | 2.00 | 0.25 | {rest} 0.8000 | 0.8000 |" in page
    assert numbers["slices"]["rows"]["medseg"]["runs"] == [4, 3, 50]
    assert (numbers["slices"]["volume"], numbers["slices"]["weights"]) == ("case", None)
    assert "which is run by `Predictor(NestedUNet)`. Runs: MONAI as documented 1, MONAI" in page
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers["slices"][key] in page


def test_training_steps_are_told_with_their_losses(benchmark, measured, tmp_path):
    label = tmp_path / "label.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 1, 1), np.uint8), np.eye(4)), label)
    page, _ = run(benchmark, tmp_path, "--workloads", "training-2d", "--label", str(label))
    assert "| MONAI as documented | 60.00 | 1.0 | 8.00 | 1.000 | 0.500 | 0.0000 |" in page
    assert "| medseg | 4.00 | 15.0 | 2.00 | 1.000 | 0.700 | 0.2000 |" in page
    assert "| MONAI as documented, other initial weights | 2.00 |" in page
    assert measured.count(benchmark.AGAIN) == 1


def test_workloads_measured_before_stay_on_the_page(benchmark, measured, tmp_path):
    run(benchmark, tmp_path, "--workloads", "crop")
    page, numbers = run(benchmark, tmp_path, "--workloads", "slices")
    assert list(numbers) == ["slices", "crop"]
    assert "--workloads crop" in numbers["crop"]["command"]
    assert page.index("2D network over") < page.index("3D network over")


@pytest.mark.parametrize(
    ("given", "needed"),
    [([], "--volume"), (["--volume", "ct.nii", "--workloads", "training-3d"], "--label")],
)
def test_a_volume_is_needed_and_for_training_its_label(benchmark, capsys, given, needed):
    with pytest.raises(SystemExit):
        benchmark.main(given)
    assert f"{needed} is needed" in capsys.readouterr().err
