"""The nuclei bundle end to end, on drawn pictures: prepare, train, evaluate, segment."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image, ImageDraw

from medseg.datasets import nuclei, phantom
from medseg.errors import is_documented, root_cause

TINY = ["--image_size", "[32,32]", "--channels", "[4,8,16]"]
HEADS = ["--head_weights", "[1,1]"]
SHORT = ["--max_epochs", "1", "--val_interval", "1", "--batch_size", "4", "--num_workers", "0"]
SIZES = [(40, 56), (32, 32), (70, 50)]
"""Columns and rows of the drawn pictures, in turn: no two sides fit the patch the same way."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repository) -> Path:
    """A folder with the bundles and a prepared set of ten drawn pictures."""
    root = tmp_path_factory.mktemp("workspace")
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", root / "bundles", symlinks=True, ignore=ignore)
    for number in range(10):
        publish(root / "published", f"p{number}", size=SIZES[number % len(SIZES)], seed=number)
    assert nuclei.prepare(root / "published", root / "data" / "nuclei") == 10
    return root


@pytest.fixture(scope="module")
def trained(workspace) -> Path:
    """The workspace after one epoch by the literal command."""
    config = ["--config_file", "bundles/nuclei/train.json"]
    command = [sys.executable, "-m", "monai.bundle", "run", "training", *config]
    done = run([*command, *TINY, *HEADS, *SHORT], workspace)
    assert done.returncode == 0, done.stderr[-2000:]
    return workspace


def publish(root: Path, name: str, *, size: tuple[int, int], seed: int) -> None:
    """Draw three bright discs on a dark ground, in the layout of the Data Science Bowl."""
    generator = np.random.default_rng(seed)
    picture = Image.new("RGBA", size, (20, 15, 40, 255))
    for part in ("images", "masks"):
        (root / name / part).mkdir(parents=True)
    for number, x in enumerate((8, 16, 24)):
        y = int(generator.integers(6, size[1] - 6))
        mask = Image.new("L", size)
        for canvas, colour in ((picture, (200, 190, 220, 255)), (mask, 255)):
            ImageDraw.Draw(canvas).ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
        mask.save(root / name / "masks" / f"{number}.png")
    picture.save(root / name / "images" / f"{name}.png")


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end, one thread, output captured."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def medseg(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", "from medseg.cli import main; main()", *arguments]
    return [*command, "-b", "bundles/nuclei", *TINY]


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_the_literal_command_trains_a_network_of_three_channels_in_and_one_out(trained):
    state = torch.load(trained / "bundles/nuclei/models/model.pt", weights_only=True)
    heads = [value for key, value in state.items() if key.endswith("head.weight")]
    assert [head.shape[0] for head in heads] == [1, 1]
    assert state["nodes.x0_0.first.conv.weight"].shape[1] == 3


def test_evaluation_scores_every_picture_of_the_section(trained):
    done = run(medseg("evaluate", "--section", "test"), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    with (trained / "runs/nuclei/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [item["case"] for item in nuclei.cases(trained / "data/nuclei", "test")]
    assert sorted(row["case"] for row in rows) == sorted(expected)


def test_a_folder_of_pictures_gives_label_maps_of_their_sizes_and_one_failure_costs_no_other(
    trained,
):
    pictures = trained / "pictures"
    pictures.mkdir()
    for number, name in enumerate(("a.png", "b.jpg", "c.tif")):
        source = Image.open(trained / f"data/nuclei/images/p{number}.png")
        source.save(pictures / name)
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    done = run(medseg("segment", "pictures", "-o", "masks"), trained)
    assert done.returncode == 1
    assert last_line(done).startswith("error: 1 of 4 cases failed: broken: ")
    names = [f"{case}{end}" for case in "abc" for end in (".png", "_label.png")]
    assert sorted(p.name for p in (trained / "masks").iterdir()) == names
    for case, size in zip("abc", SIZES, strict=True):
        label = Image.open(trained / "masks" / f"{case}_label.png")
        assert (label.mode, label.size) == ("L", size)
        assert set(np.unique(label)) <= {0, 1}


def cases(workspace: Path, **choices: str) -> list[dict[str, str]]:
    """What the inference config of the bundle takes for its cases."""
    config = ConfigParser.load_config_file(str(workspace / "bundles/nuclei/inference.json"))
    parser = ConfigParser({**config, "output_dir": str(workspace / "out"), **choices})
    return parser.get_parsed_content("cases")


def test_the_inference_config_takes_the_pictures_of_the_dataset_as_its_cases(workspace):
    found = cases(workspace, dataset_dir=str(workspace / "data/nuclei"))
    assert [case["case"] for case in found] == [f"p{number}" for number in range(10)]


def test_the_inference_config_heeds_outputs_that_exist(workspace):
    pictures, out = workspace / "data/nuclei/images", workspace / "done"
    out.mkdir()
    (out / "p1_label.png").touch()
    choices = {"input": str(pictures), "output_dir": str(out)}
    with pytest.raises(RuntimeError) as refused:  # MONAI's own, around ours
        cases(workspace, **choices)
    assert "1 of 10 cases have outputs" in str(root_cause(refused.value))
    assert "p1" not in [case["case"] for case in cases(workspace, existing="skip", **choices)]
    assert len(cases(workspace, existing="overwrite", **choices)) == 10


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("ct/imagesTr/liver_000.nii.gz", "is a NIfTI volume: this bundle segments pictures"),
        ("ct/imagesTr", "holds no picture, liver_000.nii.gz is a NIfTI volume: this bundle"),
        ("ct/dicom/liver_002", "is a DICOM file: this bundle segments pictures"),
    ],
)
def test_volumes_are_refused_in_one_line_that_says_so(workspace, source, told):
    if not (workspace / "ct").exists():
        phantom.write("ct", workspace / "ct", cases=2, test_cases=1, size=48, slices=3)
    with pytest.raises(RuntimeError) as refused:
        cases(workspace, input=str(workspace / source))
    cause = root_cause(refused.value)
    assert is_documented(cause)
    assert told in str(cause)
    assert "\n" not in str(cause)
