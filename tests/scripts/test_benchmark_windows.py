"""Tests of scripts/benchmark_windows.py: what is held against what, and the page."""

import json

import nibabel
import numpy as np
import pytest
import torch

from medseg.networks import NestedUNet


@pytest.fixture
def windows(script, monkeypatch):
    module = script("benchmark_windows")
    monkeypatch.setattr(module, "SIZES", (32, 48))
    monkeypatch.setattr(module, "TRAINED", 48)
    return module


def test_windows_change_nothing_without_normalisation(windows):
    torch.manual_seed(0)
    network = NestedUNet(3, 1, 2, channels=(4, 4, 8), norm=None).eval()
    label = np.ones((48, 48, 48))
    rows = windows.measure(network, torch.rand(1, 1, 48, 48, 48), label)
    assert [row["size"] for row in rows] == [32] * 2 + [48] * 3  # no crop of 32 at a halo of 16
    exact = [row for row in rows if row["size"] == 48 and "halo" in row["way"]]
    assert {row["dice"] for row in exact} == {1}


def test_the_page_tells_each_window(windows, tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(-200, 300, (256, 256, 4)).astype(np.int16)
    for name, array in (("image", values), ("label", (values > 40).astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    found = [{"size": 48, "way": "crop, halo 16", "dice": 1.0, "truth": 0.9}]
    monkeypatch.setattr(windows, "measure", lambda network, image, truth: found)
    monkeypatch.setattr(windows, "build", lambda *given, training: None)
    threads = torch.get_num_threads()
    given = ["--volume", str(tmp_path), "--weights", "none.pt", "--threads", "1"]
    assert windows.main([*given, "--out", str(tmp_path)]) == 0
    torch.set_num_threads(threads)
    page = (tmp_path / "windows.md").read_text()
    assert "| 48 | crop, halo 16 | 1.0000 | 0.9000 |" in page
    assert "middle 256x256x4 voxels" in page
    numbers = json.loads((tmp_path / "windows.json").read_text())
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page
