"""Tests of scripts/count_findings.py: it counts images that are refused, and those that pass."""

import importlib.util
import sys

import numpy as np
from PIL import Image
from scipy import ndimage


def test_a_red_picture_is_refused_for_nuclei_and_a_dark_grey_one_passes(
    repository, tmp_path, monkeypatch, capsys
):
    path = repository / "scripts" / "count_findings.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    noise = np.random.default_rng(0).integers(0, 60, (256, 256, 1), dtype=np.uint8)
    grey = ndimage.gaussian_filter(noise, (2, 2, 0))  # noise alone would be refused as such
    for name, colours in (("red", [4, 1, 1]), ("grey", [1, 1, 1])):
        Image.fromarray(grey * np.array(colours, np.uint8)).save(tmp_path / f"{name}.png")
    bundle = str(repository / "bundles" / "nuclei")
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", ["count_findings.py", bundle, "--images", f"{tmp_path}/*.png"])
    monkeypatch.setattr(script.logging, "disable", lambda level: None)
    assert script.main() == 0
    said = capsys.readouterr().out
    assert "images: {'passed': 1, 'refused': 1}" in said
    assert "1 red minus blue" in said
