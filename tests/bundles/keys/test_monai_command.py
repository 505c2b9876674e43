"""Tests of medseg.bundles.keys.monai_command: MONAI's own command is as strict as ours."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from monai.bundle import scripts

from medseg.base.errors import find_root_cause
from medseg.bundles.keys import monai_command
from medseg.datasets import phantom

CHECK = "$medseg.bundles.keys.monai_command.check_monai_command()"
CONFIG = {
    "imports": ["$import medseg.bundles.keys.monai_command"],
    "initialize": ["$import medseg", CHECK],
    "max_epochs": 100,
    "patience": 10,
    "level": None,
    "choices": {"max_epochs": "@max_epochs"},
    "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.1},
    "training": ["$@max_epochs"],
}


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    """A config whose `initialize` asks what this is about, as if MONAI's command ran it."""
    monkeypatch.setattr(monai_command, "_is_monai_command", lambda: True)
    file = tmp_path / "train.json"
    file.write_text(json.dumps(CONFIG))
    return file


def run(*files, **words):
    """What `python -m monai.bundle run training` does with these arguments."""
    names = [str(file) for file in files]
    config_file = names if len(names) > 1 else names[0]
    scripts.run("training", config_file=config_file, logging_file=False, **words)


def refuse(*files, **words):
    """What it is refused with."""
    with pytest.raises(RuntimeError) as caught:
        run(*files, **words)
    return str(find_root_cause(caught.value))


def test_keys_of_the_config_are_taken(config_file):
    run(config_file, **{"max_epochs": 3, "optimizer::lr": 0.2, "patience": "$None"})
    run(config_file, **{"optimizer#lr": 1, "level": None, "patience": "$2 + 3"})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("max_epoch", 3, "override --max_epoch is not a key of .*: did you mean the key --max_epo"),
        ("optimizer#lrr", 3, "override --optimizer#lrr is not a key .* the key --optimizer#lr"),
        ("optimizer::lrr", 3, "override --optimizer#lrr is not a key"),
        ("max_epochs", "ten", "max_epochs is 'ten': it must be a whole number"),
        ("optimizer#lr", "ten", "override --optimizer#lr must be a number, got 'ten'"),
        ("patience", None, r"--patience is None, which MONAI ignores.*write --patience '\$None'"),
    ],
)
def test_another_key_or_a_value_of_another_kind_is_refused(config_file, key, value, said):
    found = refuse(config_file, **{key: value})
    assert "\n" not in found
    assert re.search(said, found)


def test_arguments_of_a_file_are_checked_too(config_file, tmp_path):
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"max_epoch": 3}))
    assert "--max_epoch is not a key" in refuse(config_file, args_file=str(arguments))


def test_a_key_of_a_later_file_has_to_be_known_or_used(config_file, tmp_path):
    later = tmp_path / "mine.json"
    for right in (
        {"max_epochs": 3},
        {"optimizer#lr": 0.2},
        {"rate": 0.2, "optimizer#lr": "@rate"},
        {"training": ["$1"], "_note_": "mine"},
    ):
        later.write_text(json.dumps(right))
        run(config_file, later)
    later.write_text(json.dumps({"max_epoch": 3}))
    found = refuse(config_file, later)
    assert "mine.json: max_epoch is not a key of" in found
    assert found.endswith("did you mean the key --max_epochs?")


def test_another_config_of_a_bundle_may_bring_its_own_workflow(config_file, tmp_path):
    other = tmp_path / "evaluate.json"
    other.write_text(json.dumps({"_generated_": "built from layers", "evaluating": ["$2"]}))
    run(config_file, other)


def test_a_program_that_runs_a_config_may_add_keys(config_file, monkeypatch):
    monkeypatch.setattr(monai_command, "_is_monai_command", lambda: False)
    run(config_file, max_epoch=3)


BUNDLES = Path(__file__).resolve().parents[3] / "bundles"
COMMAND = [
    *(sys.executable, "-m", "monai.bundle", "run", "training"),
    *("--config_file", "bundles/liver/train.json", "--channels", "[2,4,6]"),
    *("--image_size", "(32,32)", "--num_workers", "0", "--output_dir", "run"),
]


def start(folder, *words):
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(BUNDLES.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.long
def test_the_real_command_refuses_a_misspelt_key_before_it_looks_for_data(tmp_path):
    (tmp_path / "bundles").symlink_to(BUNDLES)
    ended = start(tmp_path, "--max_epoch", "2")
    out, err = ended.communicate(timeout=120)
    assert ended.returncode == 1
    assert out == ""
    assert err.splitlines()[-1].startswith("error: override --max_epoch is not a key of bundles/")
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_the_real_command_ends_on_ctrl_c_in_one_line(tmp_path):
    (tmp_path / "bundles").symlink_to(BUNDLES)
    phantom.write("ct", tmp_path / "data" / "liver", cases=4, size=48, slices=2)
    running = start(tmp_path, "--max_epochs", "100000", "--folds", "2", "--patience", "$None")
    until = time.monotonic() + 120
    while not (tmp_path / "run" / "resume.pt").exists():
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT
    assert out == "", out
    assert err.splitlines()[-1] == (
        "interrupted: the complete epochs are kept; to go on: medseg train -b run --resume True"
    )
    assert "Traceback" not in err
