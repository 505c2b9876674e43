"""No command opens a connection or leaves a file in the home folder; caches are named here.

Each command runs afresh, without the variables by which packages know a test or a CI machine. An
audit hook refuses what Python sends, see network_guard; where strace is there, it watches what
native code and all child processes send too.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from medseg.datasets import phantom

CACHES = (".cache/matplotlib", ".config/matplotlib")
"""The fonts that matplotlib has found; MONAI imports it where it is installed."""

MLFLOW_ID = ".config/mlflow"
"""MONAI imports MLflow, which writes an id, before it reads a config that imports medseg."""

SMALL = ["--channels", "[4,8,16]", "--image_size", "[32,32]"]
SHORT = [*SMALL, "--max_epochs", "1", "--num_workers", "1", "--device", "cpu"]
MLFLOW = [*SHORT, "--output_dir", "runs/tracked", "--tracking", "mlflow"]
MLFLOW += ["--tracking_uri", "sqlite:///tracked.db"]
MONAI = ["-m", "monai.bundle", "run", "training", "--config_file", "bundles/liver/train.json"]
IMAGE = "data/liver/imagesTs/liver_006.nii.gz"
COMMANDS = {
    "help": ["--help"],
    "doctor": ["doctor"],
    "inspect": ["inspect", "data/liver"],
    "segment eager": ["segment", IMAGE, "-o", "eager", "--predictor", "eager", *SMALL],
    "segment openvino": ["segment", IMAGE, "-o", "openvino", "--predictor", "openvino", *SMALL],
    "segment onnxruntime": ["segment", IMAGE, "-o", "onnx", "--predictor", "onnxruntime", *SMALL],
    "segment a picture": ["segment", "a.png", "-b", "bundles/nuclei", "-o", "picture"],
    "evaluate": ["evaluate", *SMALL],
    "export": ["export", "liver.onnx", *SMALL],
    "prune": ["prune", "--repeats", "1", "--tolerance", "100", *SMALL],
    "train": ["train", *SHORT, "--output_dir", "runs/trained"],
    "train with MLflow": ["train", *MLFLOW],
}
_SENT = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET.*")
_LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"')


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repository) -> Path:
    """The bundles, a phantom, a picture, and random weights of a small network."""
    root = tmp_path_factory.mktemp("quiet")
    shutil.copytree(repository / "bundles", root / "bundles", symlinks=True)
    phantom.write("ct", root / "data" / "liver", cases=6, seed=0, size=48, slices=8)
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "a.png")
    config = ConfigParser.load_config_file(str(root / "bundles/liver/configs/train.json"))
    parser = ConfigParser(config | {"channels": [4, 8, 16]})
    weights = root / "bundles/liver/models/model.pt"
    weights.parent.mkdir(exist_ok=True)
    torch.save(parser.get_parsed_content("network_def").state_dict(), weights)
    return root


def _run(words: list[str], workspace: Path, home: Path) -> str:
    """What a command sent to other machines, one message a line; it has to succeed."""
    guarded, traced = (home.parent / f"{home.name}.{kind}" for kind in ("guard", "strace"))
    for log in (guarded, traced):
        log.touch()
    here = Path(__file__).parent
    path = [str(here / "network_guard"), str(here.parents[1])]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path),
        "NETWORK_GUARD_LOG": str(guarded),
    }
    trace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    watched = [*trace, "-o", str(traced)] if shutil.which("strace") else []
    done = subprocess.run(
        [*watched, sys.executable, *words],
        cwd=workspace,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    sent = [line for line in _SENT.findall(traced.read_text()) if not _LOOPBACK.search(line)]
    return guarded.read_text() + "\n".join(sent)


def _left(home: Path, *expected: str) -> list[str]:
    """The files of a home folder that are in none of the expected folders."""
    files = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return [file for file in files if not file.startswith((*CACHES, *expected))]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_sends_nothing_and_leaves_nothing_in_the_home_folder(name, workspace, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    command = ["-c", "from medseg.cli import main; main()", *COMMANDS[name]]
    assert _run(command, workspace, home) == ""
    assert _left(home) == []


@pytest.mark.slow
def test_monai_running_a_bundle_with_mlflow_sends_nothing(workspace, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    words = [*MONAI, *MLFLOW, "--output_dir", "runs/monai"]
    assert _run(words, workspace, home) == ""
    assert _left(home, MLFLOW_ID) == []


def test_the_guard_refuses_other_machines_alone(workspace, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = """
import socket
for host in ("127.0.0.1", "192.0.2.1"):
    try:
        socket.create_connection((host, 9), timeout=1)
    except OSError as error:
        print(error)
"""
    sent = _run(["-c", code], workspace, home)
    assert "socket.getaddrinfo 192.0.2.1" in sent
    assert "127.0.0.1" not in sent


@pytest.mark.openvino
def test_converting_for_openvino_sends_nothing(workspace, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = """
import medseg, openvino, torch
from medseg.inference.predictor.openvino import convert
convert(torch.nn.Conv2d(1, 1, 3).eval(), (1, 1, 8, 8))
"""
    assert _run(["-c", code], workspace, home) == ""
    assert _left(home) == []
