"""What may not be read or written ends each verb in one line, run as a user without rights."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import torch._dynamo
from monai.bundle import ConfigParser
from typer.testing import CliRunner

from medseg.bundles import check, export, run
from medseg.bundles.pruning import prune
from medseg.cli import app
from medseg.datasets import lits, phantom, prepare
from medseg.ingest import inspect_files

LOADED = (check, export, prune, run, prepare, lits, inspect_files, torch._dynamo)
"""What the verbs import when they run, perhaps from a folder that only root may read."""

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
NOBODY = 65534
TINY = ("--channels", "[2,4,6]", "--predictor", "eager")
TRAIN = ("-b", "liver", "--dataset_dir", "data", "--weights", "open/w.pt", *TINY[:2])

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture(scope="module")
def place():
    """A bundle, a study and a training set that everybody may read, and a folder to write to."""
    root = Path(tempfile.mkdtemp(prefix="permissions_"))  # that of pytest is closed to others
    root.chmod(0o755)
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(BUNDLES / "liver", root / "liver", symlinks=True, ignore=ignore)
    config = json.loads((root / "liver" / "inference.json").read_text()) | {"channels": [2, 4, 6]}
    network = ConfigParser(config).get_parsed_content("network_def")
    (root / "liver" / "models").mkdir()
    torch.save(network.state_dict(), root / "liver" / "models" / "model.pt")
    (root / "in").mkdir()
    image = np.random.default_rng(0).integers(-100, 400, (16, 16, 2)).astype(np.int16)
    nib.save(nib.Nifti1Image(image, np.eye(4)), root / "in" / "a.nii.gz")
    phantom.write("ct", root / "data", cases=4, seed=0, size=48, slices=4)
    (root / "open").mkdir()
    (root / "open").chmod(0o777)
    yield root
    shutil.rmtree(root)


def as_nobody(*words):
    """Run a verb with the rights of another user."""
    os.seteuid(NOBODY)
    try:
        return CliRunner().invoke(app.app, words)
    finally:
        os.seteuid(0)


SEGMENT = ("segment", "in", "-b", "liver", "-o", "open/o", *TINY)
REFUSED = {
    "study": ("in", SEGMENT),
    "weights": ("liver/models/model.pt", SEGMENT),
    "weights of an export": ("liver/models/model.pt", ("export", "open/x.ts", "-b", "liver")),
    "config": ("liver/configs/inference.json", SEGMENT),
    "bundle": ("liver", SEGMENT),
    "bundle of a training": ("liver", ("train", *TRAIN)),
    "bundle of an evaluation": ("liver", ("evaluate", "-b", "liver")),
    "bundle to prune": ("liver", ("prune", "-b", "liver")),
    "bundle to export": ("liver", ("export", "open/x.ts", "-b", "liver")),
    "bundle to check": ("liver", ("bundles", "check", "liver", "--bundles-dir", ".")),
    "training set": ("data", ("train", *TRAIN, "--output_dir", "open/t")),
    "datalist": ("data/dataset.json", ("train", *TRAIN, "--output_dir", "open/t")),
    "images": ("data/imagesTr", ("train", *TRAIN, "--output_dir", "open/t")),
    "set to evaluate": ("data", ("evaluate", "-b", "liver", "--dataset_dir", "data", *TINY)),
    "set to prepare": ("data", ("prepare", "nuclei", "-s", "data", "-o", "open/p")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_read_is_one_line_that_names_it(name, place, monkeypatch):
    monkeypatch.chdir(place)
    closed, words = REFUSED[name]
    mode = os.stat(closed).st_mode
    os.chmod(closed, 0)
    try:
        ended = as_nobody(*words)
    finally:
        os.chmod(closed, mode)
    assert isinstance(ended.exception, SystemExit), repr(ended.exception)
    assert ended.exit_code == 2, ended.output
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ended.stderr
    assert "Errno" not in errors[0]
    assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    "words",
    [
        ("segment", "in", "-b", "liver", "-o", "shut", *TINY),
        ("evaluate", "-b", "liver", "--dataset_dir", "data", "--output_dir", "shut", *TINY),
        ("train", *TRAIN, "--output_dir", "shut/t"),
        ("prune", "-b", "liver", "-o", "shut/x", "--report", "open/r"),
        ("prune", "-b", "liver", "-o", "open/x", "--report", "shut/r"),
        ("export", "shut/x.ts", "-b", "liver"),
        ("phantom", "ct", "-o", "shut/p"),
        ("prepare", "liver", "-s", "data", "-o", "shut/p"),
        ("download", "hippocampus", "-o", "shut/d", "--accept-licence"),
    ],
    ids=lambda words: " ".join(words[:1]),
)
def test_a_folder_that_may_not_be_written_is_one_line(words, place, monkeypatch):
    monkeypatch.chdir(place)
    Path("shut").mkdir(exist_ok=True)
    ended = as_nobody(*words)
    assert isinstance(ended.exception, SystemExit), repr(ended.exception)
    assert ended.exit_code == 2, ended.output
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ended.stderr
    assert "cannot be written to (Permission denied): choose a folder" in errors[0]
    assert list(Path("shut").iterdir()) == []


def test_a_file_of_a_folder_that_may_not_be_read_is_the_failure_of_its_case(place, monkeypatch):
    monkeypatch.chdir(place)
    shutil.copytree("in", "two", dirs_exist_ok=True)
    shutil.copy("two/a.nii.gz", "two/b.nii.gz")
    os.chmod("two/b.nii.gz", 0)
    # once as root: what a run imports may lie where nobody else reads
    CliRunner().invoke(app.app, ("segment", "in", "-b", "liver", "-o", "first", "--force", *TINY))
    ended = as_nobody("segment", "two", "-b", "liver", "-o", "open/two", "--force", *TINY)
    assert ended.exit_code == app.SOME_FAILED, ended.output
    assert "1 of 2 cases failed (b)" in ended.stderr
    assert sorted(os.listdir("open/two"))[:2] == ["a.nii.gz", "a.png"]
