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
    monkeypatch.setattr(module, "SIZES", (64, 96))
    monkeypatch.setattr(module, "TRAINED", 96)
    return module


def test_cropped_windows_change_nothing_without_normalisation(windows, monkeypatch, torn):
    ways = {name: windows.WAYS[name] for name in ("crop, halo 32", "blend, overlap 0.5")}
    monkeypatch.setattr(windows, "WAYS", ways)
    monkeypatch.setattr(windows, "SIZES", (64, 80, 96))
    torch.manual_seed(0)
    image = torch.rand(1, 1, 128, 96, 3)
    network = torn(NestedUNet(2, 1, 2, channels=(4, 4, 8), norm=None), image[..., 0])
    rows = windows.measure(network, image, np.ones((128, 96, 3)))
    assert [row["size"] for row in rows] == [64, 80, 80, 96, 96]  # none within halos of 32
    assert [row["dice"] for row in rows if row["way"] == "crop, halo 32"] == [1, 1]
    assert all(0 < row["truth"] < 1 for row in rows)  # both classes are found


def test_the_page_tells_each_window(windows, tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(-200, 300, (20, 24, 9)).astype(np.int16)
    for name, array in (("image", values), ("label", (values > 40).astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")

    def measure(network, image, truth):
        given = {"batch": 1.0, "instance": 0.5}[network[0]]
        assert network[1] == f"{network[0]}.pt"
        assert image.shape[2:] == truth.shape == (20, 24, 3)
        return [{"size": 48, "way": "crop, halo 32", "dice": given, "truth": 0.9}]

    monkeypatch.setattr(windows, "measure", measure)
    monkeypatch.setattr(windows, "network_of", lambda norm, weights: (norm, weights.name))
    threads = torch.get_num_threads()
    weights = ["--weights", "batch=batch.pt", "instance=instance.pt"]
    given = ["--volume", str(tmp_path), *weights, "--every", "4", "--threads", "1"]
    assert windows.main([*given, "--out", str(tmp_path)]) == 0
    torch.set_num_threads(threads)
    page = (tmp_path / "windows.md").read_text()
    for norm, found in (("batch", "1.0000"), ("instance", "0.5000")):
        assert f"## Norm: {norm}" in page
        assert f"| 48 | crop, halo 32 | {found} | 0.9000 |" in page
    assert "segment 3 slices of" in page
    numbers = json.loads((tmp_path / "windows.json").read_text())
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page
