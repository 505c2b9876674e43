"""A bundle that is not whole is one clear line for every verb, and nothing of it is changed."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medseg.cli.app import app

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
WORDS = {
    "segment": ["segment", "input.nii.gz", "-b", "mine", "-o", "out"],
    "plan": ["segment", "input.nii.gz", "-b", "mine", "-o", "out", "--plan"],
    "train": ["train", "-b", "mine", "--output_dir", "out"],
    "resume": ["train", "-b", "mine", "--resume", "True"],
    "evaluate": ["evaluate", "-b", "mine", "--output_dir", "out"],
    "prune": ["prune", "-b", "mine", "-o", "out", "--report", "report"],
    "export": ["export", "out.ts", "-b", "mine"],
    "info": ["bundles", "info", "mine"],
    "copy": ["bundles", "copy", "mine", "out"],
    "check": ["bundles", "check", "mine"],
    "list": ["bundles", "list", "--bundles-dir", "."],
    "publish": ["bundles", "publish", "mine", "bundles/liver"],
    "publish to it": ["bundles", "publish", "run", "mine"],
}
ALWAYS_REFUSED = {"segment", "plan", "train", "resume", "evaluate", "prune", "export"}
"""Verbs that read every config; the others may have something to say of what is left."""


def lose_inference(bundle):
    for file in ("configs/inference.json", "inference.json"):
        (bundle / file).unlink()


def lose_configs(bundle):
    shutil.rmtree(bundle / "configs")
    for link in bundle.glob("*.json"):
        link.unlink()


def damage_configs(bundle):
    for file in (bundle / "configs").glob("*.json"):
        file.write_text("{")


def lose_weights(bundle):
    shutil.rmtree(bundle / "models")


FAULTS = {
    "no configs": (lose_configs, ALWAYS_REFUSED | {"info", "copy", "check", "publish"}),
    "damaged configs": (damage_configs, ALWAYS_REFUSED | {"info", "copy", "publish"}),
    "no inference": (lose_inference, {"segment", "plan", "train", "resume", "export"}),
    "no weights": (lose_weights, {"segment", "evaluate", "prune", "export"}),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A bundle `mine` with weights, a run, and the bundle that both are of."""
    shutil.copytree(BUNDLES / "liver", tmp_path / "bundles" / "liver", symlinks=True)
    for name in ("mine", "run"):
        shutil.copytree(BUNDLES / "liver", tmp_path / name, symlinks=True)
        (tmp_path / name / "models").mkdir(exist_ok=True)
        (tmp_path / name / "models" / "model.pt").write_bytes(b"weights")
    (tmp_path / "run" / "run.json").write_text(json.dumps({"bundle": "liver", "seed": 5}))
    (tmp_path / "input.nii.gz").write_bytes(b"no volume")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("verb", WORDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_bundle_is_one_line_and_nothing_is_lost(here, fault, verb):
    break_it, refused = FAULTS[fault]
    break_it(here / "mine")
    before = {name: digest(here / name) for name in ("mine", "run", "bundles")}
    ended = CliRunner().invoke(app, WORDS[verb])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    if verb in refused:
        assert ended.exit_code == 2, ended.output
        assert len(errors) == 1, ended.stderr
        assert "mine" in errors[0] or verb == "resume"
    assert "Traceback" not in ended.output
    if verb != "publish to it" or ended.exit_code:
        assert {name: digest(here / name) for name in before} == before
