"""The wheel, installed away from the repository: bundles by name, segmenting, training.

Of the packages that are installed here its environment sees those that the wheel requires, and no
other, see `base_packages`. Nothing is downloaded.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from integration.base_packages import link_base_packages
from PIL import Image

from medseg.bundles.build import FLAT_NAMES, list_names
from medseg.datasets import phantom

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None,
        reason="the wheel is built by hatchling: pip install 'medseg[dev]'",
    ),
]
SHIPPED = "medseg/bundles/shipped"
LARGEST_FILE_MB, LARGEST_WHEEL_MB = 25, 100
"""Of a file of a bundle, by the bundle specification; of a wheel, by the Python Package Index."""

SMALL = ["--channels", "[2, 4, 8]", "--image_size", "[32, 32]", "--num_workers", "0"]
EXTRAS = ("mlflow", "onnx", "openvino", "timm", "h5py", "pytest")
"""Imported by medseg or its tests, required by the wheel for an extra only."""

CASES = {
    "hippocampus": ("data/hippocampus/imagesTs/hippocampus_002.nii.gz", "hippocampus_002.nii.gz"),
    "liver_slices": ("data/liver/imagesTs/liver_005.nii.gz", "liver_005.nii.gz"),
    "nuclei": ("cells.png", "cells_label.png"),
}
"""An image and its mask for each bundle that has weights."""


def _build_wheel(checkout, dist):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    return _build_wheel(repository, tmp_path_factory.mktemp("dist"))


class Installed:
    """A fresh environment with the wheel, and an empty folder to work in."""

    def __init__(self, wheel, root):
        self.work, self.root = root / "work", root / "fresh"
        self.work.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.root)], check=True)
        base = root / "base"
        base.mkdir()
        link_base_packages(wheel, base)
        site = next(self.root.glob("lib/python*/site-packages"))
        (site / "base.pth").write_text(str(base))
        python = str(self.root / "bin" / "python")
        install = ["-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index"]
        subprocess.run([sys.executable, *install, str(wheel)], check=True)

    def python(self, *words, status=0):
        """Run Python in the folder, without the repository on its path."""
        command = [str(self.root / "bin" / "python"), *map(str, words)]
        keep = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        ended = subprocess.run(command, cwd=self.work, env=keep, capture_output=True, text=True)
        assert ended.returncode == status, ended.stderr
        return ended

    def medseg(self, *words, status=0):
        """Run the command that the wheel installs."""
        return self.python(self.root / "bin" / "medseg", *words, status=status)


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    made = Installed(wheel, tmp_path_factory.mktemp("installed"))
    made.medseg("phantom", "mr", "-o", "data/hippocampus", "--cases", "1")
    phantom.write("ct", made.work / "data" / "liver", cases=5, size=64, slices=4)
    cells = np.full((64, 64, 3), 20, np.uint8)
    cells[20:40, 10:30] = cells[10:20, 45:55] = 180
    Image.fromarray(cells).save(made.work / "cells.png")
    return made


@pytest.fixture(scope="module")
def site(run):
    found = run.python("-c", "import medseg; print(medseg.__file__)").stdout
    assert run.root in Path(found).parents
    return Path(found.strip()).parents[1]


def _read_size(file):
    return nib.load(file).shape if file.suffix == ".gz" else Image.open(file).size


def _list_files(folder):
    """Every file with the time of its last change, but for what Python compiles."""
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_wheel_holds_every_bundle_with_its_weights_and_no_large_file(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for name in list_names(repository / "bundles"):
        assert {f"{SHIPPED}/{name}/{flat}" for flat in FLAT_NAMES} <= sizes.keys()
        assert f"{SHIPPED}/{name}/LICENSE" in sizes
    weights = {name for name in sizes if name.endswith("models/model.pt")}
    assert weights >= {f"{SHIPPED}/{name}/models/model.pt" for name in ("hippocampus", "nuclei")}
    assert f"{SHIPPED}/layers/base.json" in sizes  # of which `medseg new` builds bundles
    assert not [name for name in sizes if name.startswith("bundles")]
    assert max(sizes.values()) < LARGEST_FILE_MB * 1e6
    assert wheel.stat().st_size < LARGEST_WHEEL_MB * 1e6


def test_a_checkout_without_links_builds_the_same_wheel(repository, tmp_path):
    if not (repository / ".git").exists():
        pytest.skip("not a checkout: an archive of the sources has no links to lose")
    sums = {}
    for links in ("true", "false"):
        clone = ["git", "-c", f"core.symlinks={links}", "clone", "-q", repository, links]
        subprocess.run(clone, cwd=tmp_path, check=True)
        flat = tmp_path / links / "bundles" / "liver" / "train.json"
        assert flat.is_symlink() == (links == "true")
        with zipfile.ZipFile(_build_wheel(tmp_path / links, tmp_path / f"dist_{links}")) as archive:
            sums[links] = {info.filename: info.CRC for info in archive.infolist()}
    assert sums["true"] == sums["false"]


def test_an_installed_medseg_lists_its_bundles_anywhere(run, repository):
    lines = run.medseg("bundles", "list").stdout.splitlines()
    assert {line.split()[0] for line in lines} >= set(list_names(repository / "bundles"))


def test_the_page_that_a_message_names_is_installed(run, site):
    ended = run.medseg("segment", "absent.nii.gz", "-o", "masks", "-b", "hippocampus", status=2)
    [page] = re.findall(r"\(see (\S+\.md)\)$", ended.stderr)
    assert Path(page).is_file()
    assert site in Path(page).parents


def test_what_only_an_extra_brings_is_not_there(run):
    code = "import importlib.util as i, sys; print(*(n for n in sys.argv[1:] if i.find_spec(n)))"
    assert run.python("-c", code, *EXTRAS, "monai").stdout.split() == ["monai"]


@pytest.mark.parametrize("name", CASES)
def test_a_bundle_that_came_with_medseg_segments_by_its_name(run, site, name):
    before = _list_files(site)
    image, mask = CASES[name]
    words = [image, "-b", name, "-o", f"masks_of_{name}", "--force", "--json"]
    document = json.loads(run.medseg("segment", *words).stdout)
    assert mask in document["files"]
    assert _read_size(Path(document["folder"]) / mask) == _read_size(run.work / image)
    assert _list_files(site) == before


def test_the_flat_names_are_copies_and_the_command_of_monai_works(run, site):
    bundle = site / SHIPPED / "hippocampus"
    assert not any((bundle / flat).is_symlink() for flat in FLAT_NAMES)
    paths = [f"--input={CASES['hippocampus'][0]}", "--output_dir=masks_of_monai"]
    config = bundle / "inference.json"
    words = ["run", "inference", f"--config_file={config}", *paths, "--force=True"]
    run.python("-m", "monai.bundle", *words)
    assert list((run.work / "masks_of_monai").glob("*.nii.gz"))


def test_training_leaves_the_installed_bundle_alone_and_its_run_segments(run, site):
    before = _list_files(site)
    ended = run.medseg("train", "-b", "liver", "--max_epochs", "1", *SMALL)
    assert _list_files(site) == before
    assert "not copied to the bundle liver, which is part of" in ended.stdout + ended.stderr
    (trained,) = (run.work / "runs" / "liver").iterdir()
    assert json.loads((trained / "run.json").read_text())["epochs"] == 1
    image, mask = CASES["liver_slices"]
    run.medseg("segment", image, "-b", trained, "-o", "masks_of_run", "--force")
    mask = run.work / "masks_of_run" / mask
    assert np.unique(np.asanyarray(nib.load(mask).dataobj)).max() <= 2
