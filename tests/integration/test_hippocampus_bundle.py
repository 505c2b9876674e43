"""The hippocampus bundle end to end, on synthetic volumes: train, evaluate, segment."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from medseg.datasets import hippocampus
from medseg.errors import is_documented, root_cause

TINY = ["--image_size", "[16,16,16]", "--channels", "[4,8,16]", "--overlap", "0"]
HEADS = ["--head_weights", "[1,1]"]
SHORT = ["--max_epochs", "1", "--num_workers", "0"]
SHAPES = [(20, 24, 18), (14, 30, 16), (21, 17, 23)]
"""Of the volumes, in turn: larger and smaller than the patch, even and odd."""
AFFINE = np.diag([-1.0, 1.0, 1.5, 1.0])
"""LAS orientation, so that a label map that stays in RAS+ is noticed."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repository) -> Path:
    """A folder with the bundles and a Task04_Hippocampus of ten synthetic volumes."""
    root = tmp_path_factory.mktemp("workspace")
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", root / "bundles", symlinks=True, ignore=ignore)
    task = root / "data" / "hippocampus"
    names = [f"hippocampus_{number:03d}" for number in range(10)]
    for number, name in enumerate(names):
        write_case(task, name, shape=SHAPES[number % len(SHAPES)], seed=number)
    content = {
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "training": [{"image": f"./imagesTr/{name}.nii.gz"} for name in names],
    }
    (task / "dataset.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def trained(workspace) -> Path:
    """The workspace after one epoch by the literal command."""
    config = ["--config_file", "bundles/hippocampus/train.json"]
    command = [sys.executable, "-m", "monai.bundle", "run", "training", *config]
    done = run([*command, *TINY, *HEADS, *SHORT], workspace)
    assert done.returncode == 0, done.stderr[-2000:]
    return workspace


def write_case(task: Path, name: str, *, shape: tuple[int, int, int], seed: int) -> None:
    """Two blocks that touch, one behind the other, brighter than the noise around them."""
    label = np.zeros(shape, np.uint8)
    label[4:10, 5:10, 4:10], label[4:10, 10:14, 4:10] = 2, 1
    generator = np.random.default_rng(seed)
    image = (100 * generator.random(shape) + 300 * (label > 0)).astype(np.float32)
    for part, array in (("imagesTr", image), ("labelsTr", label)):
        (task / part).mkdir(parents=True, exist_ok=True)
        volume = nib.Nifti1Image(array, AFFINE)
        volume.header.set_xyzt_units("mm")
        nib.save(volume, task / part / f"{name}.nii.gz")


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end, one thread, output captured."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def medseg(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", "from medseg.cli import main; main()", *arguments]
    return [*command, "-b", "bundles/hippocampus", *TINY]


def test_the_literal_command_trains_a_3d_network_of_three_classes(trained):
    state = torch.load(trained / "bundles/hippocampus/models/model.pt", weights_only=True)
    heads = [value for key, value in state.items() if key.endswith("head.weight")]
    assert [tuple(head.shape) for head in heads] == [(3, 4, 1, 1, 1)] * 2


def test_evaluation_scores_both_parts_of_every_case_of_the_section(trained):
    done = run(medseg("evaluate", "--section", "test"), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    with (trained / "runs/hippocampus/metrics.csv").open(newline="") as file:
        rows = {(row["case"], row["class"]) for row in csv.DictReader(file)}
    cases = [item["case"] for item in hippocampus.cases(trained / "data/hippocampus", "test")]
    assert rows == {(case, name) for case in cases for name in ("anterior", "posterior")}


def test_label_maps_lie_on_the_grid_of_their_volumes_whatever_the_shape(trained):
    images = trained / "data/hippocampus/imagesTr"
    (trained / "some").mkdir()
    for number in range(len(SHAPES)):
        shutil.copy(images / f"hippocampus_{number:03d}.nii.gz", trained / "some")
    done = run(medseg("segment", "some", "-o", "masks"), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    for number, shape in enumerate(SHAPES):
        mask = nib.load(trained / "masks" / f"hippocampus_{number:03d}.nii.gz")
        assert mask.shape == shape
        assert np.allclose(mask.affine, AFFINE)
        assert set(np.unique(mask.dataobj)) <= {0, 1, 2}
        assert (trained / "masks" / f"hippocampus_{number:03d}.png").stat().st_size > 1000


def test_a_picture_is_refused_in_one_line_that_says_so(workspace):
    picture = workspace / "photo.png"
    picture.write_bytes(b"a picture by its name")
    config = ConfigParser.load_config_file(str(workspace / "bundles/hippocampus/inference.json"))
    parser = ConfigParser({**config, "input": str(picture), "output_dir": str(workspace / "out")})
    with pytest.raises(RuntimeError) as refused:  # MONAI's own, around ours
        parser.get_parsed_content("cases")
    cause = root_cause(refused.value)
    assert is_documented(cause)
    assert str(cause) == f"{picture} is a picture: this bundle segments volumes (NIfTI or DICOM)"
