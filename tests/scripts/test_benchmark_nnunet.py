"""Tests of scripts/benchmark_nnunet.py: the generated model, what is compared, and the page."""

import argparse
import json

import numpy as np
import pytest
import SimpleITK
import torch

from medseg.bundles.nnunet.import_model import import_model
from medseg.bundles.segmenter import Segmenter

SMALL = {
    "patch_size": [8, 16, 16],
    "spacing": [2.0, 1.0, 1.0],
    "architecture": {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "kernel_sizes": [[1, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
    },
}


@pytest.fixture
def benchmark(script, monkeypatch):
    module = script("benchmark_nnunet")
    monkeypatch.setattr(module, "ABDOMEN", SMALL)
    return module


def write_image(file, values, spacing=(1.0, 1.0, 2.0)):
    image = SimpleITK.GetImageFromArray(np.asarray(values))
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(file))


def test_the_generated_model_becomes_a_bundle_that_segments(benchmark, tmp_path):
    benchmark.generate(tmp_path / "model", 2)
    made = import_model(tmp_path / "model", tmp_path / "bundle")
    write_image(tmp_path / "ct.nii.gz", np.full((9, 20, 20), 40, np.int16))
    mask = Segmenter(made.folder, force=True, measure=False, fast=True)(tmp_path / "ct.nii.gz").mask
    assert mask.shape == (20, 20, 9)
    assert set(np.unique(mask)) <= {0, 1, 2}


def test_the_middle_of_the_slices_is_taken(benchmark, tmp_path):
    values = np.zeros((3, 10, 12), np.int16)
    values[:, 3:7, 4:8] = 1
    write_image(tmp_path / "ct.nii.gz", values)
    benchmark.copy_image(tmp_path / "ct.nii.gz", tmp_path / "middle.nii.gz", 4)
    assert benchmark.read(tmp_path / "middle.nii.gz").tolist() == np.ones((3, 4, 4)).tolist()


def test_the_passes_of_each_batch_are_counted(benchmark):
    passes = benchmark.Passes()
    for batch in (1, 3):
        passes.add(torch.nn.Conv2d(1, 2, 3, padding=1), torch.zeros(batch, 1, 10, 10))
    assert passes.count == 4
    assert passes.flop == 2 * 1800


def test_labels_are_compared_over_the_cases_that_have_them(benchmark):
    first, second = np.array([0, 1, 1, 2]), np.array([0, 1, 1, 0])
    assert benchmark.compare([first, second], [second, second]) == {
        "1": {"mean": 1.0, "least": 1.0},
        "2": {"mean": 0.0, "least": 0.0},
    }


def test_the_page_has_the_ratios_within_each_round(benchmark, tmp_path, monkeypatch):
    seconds = {benchmark.NNUNET: [80.0, 100.0], "medseg, float32": [40.0, 60.0]}

    def time_ways(args, given, folder):
        for way in (benchmark.NNUNET, *benchmark.WAYS):
            write_image(benchmark.file_of(folder, way, 0), np.ones((2, 2, 2), np.uint8))
        return {
            way: [
                {"seconds": one, "peak_gib": 2.0, "loaded_gib": 1.0, "tflop": 9.0, "passes": 8}
                for one in seconds.get(way, [20.0, 20.0])
            ]
            for way in (benchmark.NNUNET, *benchmark.WAYS)
        }

    monkeypatch.setattr(benchmark, "time_ways", time_ways)
    monkeypatch.setattr(benchmark, "prepare", lambda args, folder: None)
    monkeypatch.setattr(
        benchmark,
        "read_settings",
        lambda *names: dict.fromkeys(("hardware", "versions", "commit"), "x"),
    )
    threads = torch.get_num_threads()
    given = ["model", "ct.nii.gz", "--threads", str(threads), "--out", str(tmp_path)]
    assert benchmark.main(given) == 0
    page = (tmp_path / "nnunet.md").read_text()
    assert "| nnUNetPredictor, float32 | 90.0 | 1.0 | 2.00 | 1.00 | 9.00 | 100 |" in page
    assert "| medseg, float32 | 50.0 | 1.8 | 2.00 | 1.00 |" in page  # 0.5 and 0.6 of the time
    assert "| medseg --fast | 20.0 | 4.4 |" in page
    rows = json.loads((tmp_path / "nnunet.json").read_text())["rows"]
    assert rows[0]["agreement"] == {"1": {"mean": 1.0, "least": 1.0}}


def test_a_way_that_fails_says_what_it_said(benchmark, tmp_path):
    args = argparse.Namespace(rounds=1)
    with pytest.raises(RuntimeError, match="nnUNetPredictor, float32 failed"):
        benchmark.time_ways(args, ["nothing", "nothing"], tmp_path)
