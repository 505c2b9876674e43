"""Kills: a command killed at any moment leaves nothing half, and run again ends as if undisturbed.

Each command is killed by SIGKILL at random moments of its life, some of them twice in a row, and
then run to its end. `KILLS` counts the kills; a moment after its end finds a command that is done.
"""

import csv
import getpass
import json
import re
import shutil
import sys
import time

import nibabel as nib
import numpy as np
import pytest
import torch
from integration import commands
from monai.bundle import ConfigParser
from PIL import Image

from medseg.datasets import phantom

KILLS = {"segment": 14, "train": 12, "prepare": 10, "export": 6, "prune": 6}
IN_A_ROW = 2
SEED = 14

SMALL = ["--channels", "[4,8,16]", "--image_size", "[32,32]"]
CODE = """
import os, sys, tempfile
tempfile.tempdir = os.environ["TMPDIR"] = os.path.abspath("tmp")
from medseg.cli import main
main()
"""


def segment(folder):
    words = ["segment", "study", "-o", "masks", "--predictor", "eager", "--existing", "skip"]
    return [*words, "--save_probabilities", "True", *SMALL]


def train(folder):
    words = ["train", "--max_epochs", "3", "--num_workers", "1", "--learning_rate", "0.01"]
    words += ["--output_dir", "runs/one", *SMALL, "--folds", "3"]
    return [*words, "--resume", str((folder / "runs" / "one" / "resume.pt").exists())]


def prepare(folder):
    return ["prepare", "hippocampus", "--source", "published", "--out", "data/hippocampus"]


def export(folder):
    overwrite = ["--overwrite"] if (folder / "exported" / "liver.ts").exists() else []
    return ["export", "exported/liver.ts", *overwrite, *SMALL]


def prune(folder):
    words = ["prune", "--out", "pruned", "--report", "report", "--repeats", "1"]
    return [*words, "--tolerance", "100", "--folds", "3", *SMALL]


TORCHS_OWN = f"torchinductor_{getpass.getuser()}"
"""An empty folder that importing parts of torch makes among the temporary files, and keeps."""

COMMANDS = {each.__name__: each for each in (segment, train, prepare, export, prune)}


def start(words, folder):
    out = folder / "said"
    out.mkdir(exist_ok=True)
    return commands.start([sys.executable, "-c", CODE, *words], folder, out=out)


def finish(words, folder):
    """Run a command to its end, and give the seconds it took."""
    begun = time.monotonic()
    process = start(words, folder)
    process.join(600)
    assert process.exitcode == 0, (folder / "said" / "stderr").read_text()[-3000:]
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def template(tmp_path_factory, repository):
    """What each command finds: bundles with weights, a phantom, a study, a published dataset."""
    root = tmp_path_factory.mktemp("template")
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", root / "bundles", symlinks=True, ignore=ignore)
    phantom.write("ct", root / "data" / "liver", cases=6, test_cases=1, seed=0, size=48, slices=6)
    phantom.write("mr", root / "published", cases=6, test_cases=2, seed=0, size=48)
    (root / "study").mkdir()
    for image in sorted((root / "data" / "liver" / "imagesTr").iterdir())[:4]:
        shutil.copy(image, root / "study")
    (root / "tmp").mkdir()
    config = ConfigParser.load_config_file(str(root / "bundles/liver/configs/train.json"))
    network = ConfigParser(config | {"channels": [4, 8, 16]}).get_parsed_content("network_def")
    (root / "bundles" / "liver" / "models").mkdir()
    torch.save(network.state_dict(), root / "bundles" / "liver" / "models" / "model.pt")
    finish(["--help"], root)  # the first command waits for the imports
    return root


def copy_of(template, folder, name):
    """The template for one command; training begins without weights."""
    shutil.copytree(template, folder, symlinks=True)
    if name == "train":
        (folder / "bundles" / "liver" / "models" / "model.pt").unlink()
    return folder


def read(path):
    """What a file says, so that two runs can be compared; half a file raises."""
    if path.name.endswith(".nii.gz"):
        image = nib.load(path)
        return np.asarray(image.dataobj).tobytes(), image.affine.tobytes()
    if path.suffix == ".npy":
        return np.load(path).tobytes()
    if path.suffix == ".png":
        return np.asarray(Image.open(path)).tobytes()
    if path.suffix == ".pt":
        state = torch.load(path, weights_only=True)
        return tensors({key: value for key, value in state.items() if key != "record"})
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    if path.suffix == ".ts":
        return (
            torch.jit.load(path)(torch.linspace(0, 1, 32 * 32).view(1, 1, 32, 32)).numpy().tobytes()
        )
    return path.read_bytes()


def tensors(state):
    if isinstance(state, dict):
        return {key: tensors(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [tensors(value) for value in state]
    return state.numpy().tobytes() if torch.is_tensor(state) else state


DIFFERS = (
    *("said/", ".lock", "report/", "pruned/docs/", "pruned/configs/metadata"),
    *("_report.html", "index.html", "run.json", "run.log", "epochs.csv", "progress.png"),
)
"""Files whose content has times and durations in it; they need to be whole, not alike."""

EXTRA = re.compile(r"\.tfevents\.|^cache/|^report/.*-\d{8}-\d{6}|^masks/segmentation_")
"""Files that each try adds to, or that are named after the folder they lie in."""


def files(folder):
    """Every file below a folder by its place, but those that a run is about to make."""
    found = (path for path in folder.rglob("*") if path.is_file())
    places = {path.relative_to(folder).as_posix(): path for path in found}
    return {place: path for place, path in places.items() if "/.medseg-" not in f"/{place}"}


def outcome(folder):
    """What a finished command left: each file, with what it says where that is the same always."""
    made = files(folder)
    alike = {p: read(f) for p, f in made.items() if not any(part in f"/{p}" for part in DIFFERS)}
    return {place: alike.get(place) for place in made if not EXTRA.search(place)}


def check_nothing_half(folder):
    for place, path in files(folder).items():
        if not place.startswith("said/") and ".tfevents." not in place:
            read(path)


def check_nothing_behind(folder):
    assert list(folder.rglob(".*")) == []
    assert {path.name for path in (folder / "tmp").iterdir()} <= {TORCHS_OWN}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_killed_at_any_moment_leaves_nothing_half_and_nothing_behind(
    name, template, tmp_path
):
    command, random = COMMANDS[name], np.random.default_rng([SEED, *name.encode()])
    whole = copy_of(template, tmp_path / "undisturbed", name)
    seconds = finish(command(whole), whole)
    check_nothing_behind(whole)
    expected, killed = outcome(whole), 0
    for life in range(KILLS[name] // IN_A_ROW):
        folder = copy_of(template, tmp_path / f"life_{life}", name)
        for _ in range(IN_A_ROW):
            if name == "prune" and (folder / "pruned").exists():
                break
            process = start(command(folder), folder)
            process.join(random.uniform(0.02, 1) * seconds)
            killed += process.is_alive()
            process.kill()
            process.join()
            check_nothing_half(folder)
        if not (name == "prune" and (folder / "pruned").exists()):
            rest = finish(command(folder), folder)
            check_nothing_behind(folder)
            seconds = min(seconds, max(rest, seconds / 2))  # as busy as the machine is by now
        assert outcome(folder) == expected
        print(f"{name}: life {life} ends as the undisturbed one, {killed} kills", flush=True)
        shutil.rmtree(folder)
    print(f"{name}: {killed} of {KILLS[name]} moments fell into a run of {seconds:.1f} s")
    assert killed >= KILLS[name] // 2
