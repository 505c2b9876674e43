"""Tests of medseg.base.console_streams: who stops reading does not end a run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from medseg.datasets import phantom

REPOSITORY = Path(__file__).resolve().parents[2]
START = (
    "from medseg.base.console_streams import go_on_without_readers as go; import sys, os; go(); "
)
MANY = "[(sys.stderr.write('e' * 99 + chr(10)), print('o' * 99)) for _ in range(9999)]; "
DONE = "open('done', 'w').close()"


def _shell(line, cwd):
    return subprocess.run(["bash", "-c", line], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    "behind", ["2>&1 | head -1", "| head -1", ">&-", "2>&-", ">&- 2>&- <&-", "2> /dev/full"]
)
def test_a_process_ends_right_without_readers(tmp_path, behind):
    command = f'{sys.executable} -c "{START}{MANY}{DONE}"'
    ended = _shell(f"set -o pipefail; {command} {behind}", tmp_path)
    assert (tmp_path / "done").exists()
    assert ended.returncode == 0
    assert "Error" not in ended.stderr


def test_a_full_disk_behind_the_standard_output_is_no_silent_end(tmp_path):
    ended = _shell(f'{sys.executable} -c "{START}{MANY}" > /dev/full', tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[-1].startswith(
        "medseg.base.console_streams.OutputError: the standard"
    )
    assert "No space left" in ended.stderr


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    code = f"{START}print(open('a', 'w').fileno() > 2, file=open('b', 'w'))"
    _shell(f'{sys.executable} -c "{code}" >&- 2>&- <&-', tmp_path)
    assert (tmp_path / "b").read_text() == "True\n"


def test_a_stream_that_takes_another_place_is_left_alone(capsys):
    from medseg.base.console_streams import go_on_without_readers

    before = sys.stdout, sys.stderr
    go_on_without_readers()
    assert (sys.stdout, sys.stderr) == before


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A working directory with a bundle of random weights and a folder of three volumes."""
    here = tmp_path_factory.mktemp("study")
    root = here / "bundles" / "liver"
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(REPOSITORY / "bundles/liver", root, symlinks=True, ignore=ignore)
    config = json.loads((root / "inference.json").read_text()) | {"channels": [2, 4, 6]}
    (root / "models").mkdir()
    network = ConfigParser(config).get_parsed_content("network_def")
    torch.save(network.state_dict(), root / "models" / "model.pt")
    (here / "in").mkdir()
    for name in "abc":
        image = nib.Nifti1Image(np.zeros((16, 16, 2), np.int16), np.eye(4))
        nib.save(image, here / "in" / f"{name}.nii.gz")
    return here


@pytest.mark.long
@pytest.mark.parametrize(
    ("monai", "behind"), [(False, "2>&- >&-"), (False, "2>&1 | head -1"), (True, "2>&1 | head -1")]
)
def test_all_cases_are_segmented_without_readers(study, behind, monai):
    command = (
        "-m monai.bundle run inference --config_file bundles/liver/inference.json --input in"
        " --output_dir out --predictor eager --channels '[2,4,6]'"
        if monai
        else "-c 'from medseg.cli import main; main()' segment in -o out --predictor eager "
        "--channels '[2,4,6]'"
    )
    shutil.rmtree(study / "out", ignore_errors=True)
    run = f"export OMP_NUM_THREADS=1; set -o pipefail; {sys.executable} {command} {behind}"
    ended = _shell(run, study)
    assert ended.returncode == 0, ended.stdout
    ends = (".nii.gz", ".png", "_measurements.csv", "_measurements.json", "_report.html")
    names = [f"{name}{end}" for name in "abc" for end in ends]
    described = ["index.html", "labels.ctbl", "labels.json", "labels.label"]
    written = sorted(path.name for path in (study / "out").iterdir())
    assert written.pop().startswith("segmentation_")  # the record of the command
    assert written == [*names, *described]


def test_handlers_of_before_log_to_the_stream_that_goes_on(tmp_path):
    """Else tqdm does not know them for handlers of the console, and each line is there twice."""
    code = (
        "import logging, sys; logging.basicConfig(); from medseg.base.console_streams import *;"
        "go_on_without_readers(); print(logging.root.handlers[0].stream is sys.stderr)"
    )
    assert _shell(f'{sys.executable} -c "{code}"', tmp_path).stdout == "True\n"


def test_a_verb_that_prints_ends_quietly(study):
    run = f"{sys.executable} -c 'from medseg.cli import main; main()' inspect in"
    ended = _shell(f"set -o pipefail; {run} | head -1", study)
    assert (ended.returncode, ended.stderr) == (0, "")


LIST = f"bundles list --bundles-dir {REPOSITORY / 'bundles'}"
VERBS = ["inspect in", "inspect in --json", "doctor", LIST, "--help", "inspect -h"]
WRONG = "inspect --json --no-such-option"


@pytest.mark.long
@pytest.mark.parametrize("verb", [*VERBS, WRONG])
def test_what_is_printed_and_cannot_be_written_is_an_error_of_one_line(study, verb):
    run = f"{sys.executable} -c 'from medseg.cli import main; main()' {verb}"
    full = _shell(f"{run} > /dev/full", study)
    assert full.returncode == 2
    *_, last = full.stderr.splitlines()
    assert last.startswith("error: the standard output cannot be written (No space left on device)")
    assert full.stderr.count("\n") == 1 + (verb == WRONG)


@pytest.mark.long
@pytest.mark.parametrize(
    "verb",
    [
        f"bundles check {REPOSITORY / 'bundles/liver'}",
        "phantom microscopy -o p --cases 2 --size 48",
        "prepare nuclei --source published -o made",
    ],
)
def test_what_a_verb_says_at_its_end_and_cannot_be_written_is_an_error(tmp_path, verb):
    if verb.startswith("prepare"):
        phantom.write("microscopy", tmp_path / "published", cases=5, size=48)
    run = f"{sys.executable} -c 'from medseg.cli import main; main()' {verb}"
    full = _shell(f"{run} > /dev/full", tmp_path)
    assert full.returncode == 2
    *_, last = full.stderr.splitlines()
    assert last.startswith("error: the standard output cannot be written (No space left on device)")
    assert "Traceback" not in full.stderr


@pytest.mark.long
def test_a_check_of_bundles_with_a_closed_output_is_an_error(tmp_path):
    check = f"bundles check {REPOSITORY / 'bundles/liver'}"
    closed = _shell(
        f"{sys.executable} -c 'from medseg.cli import main; main()' {check} >&-", tmp_path
    )
    assert closed.returncode == 2
    assert closed.stderr.startswith("error: the standard output cannot be written (it is closed)")
    assert closed.stderr.count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("behind", "why"), [("2> /dev/full", "No space left on device"), ("2>&-", "it is closed")]
)
def test_a_plan_that_nobody_can_read_is_an_error(study, behind, why):
    words = "segment in -o out --plan --channels '[2,4,6]'"
    run = f"{sys.executable} -c 'from medseg.cli import main; main()' {words}"
    ended = _shell(f"{run} {behind}", study)
    assert ended.returncode == 2
    *_, last = ended.stdout.splitlines()
    assert last.startswith(f"error: the standard error cannot be written ({why})")
    assert ended.stdout.count("error:") == 1
    assert "input summary" not in ended.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_a_closed_output_is_an_error_where_nothing_else_is_given(study, verb):
    run = f"{sys.executable} -c 'from medseg.cli import main; main()' {verb}"
    closed = _shell(f"{run} >&-", study)
    assert closed.returncode == 2
    assert closed.stderr == (
        "error: the standard output cannot be written (it is closed): send it to a terminal, or "
        "to a file on a disk that has room\n"
    )


def test_a_run_goes_on_when_its_terminal_is_closed(tmp_path):
    """Whoever writes to a terminal that was hung up gets EIO."""
    code = (
        "import os, pty, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "ours, theirs = pty.openpty(); os.dup2(theirs, 1); os.close(theirs);"
        "from medseg.base.console_streams import go_on_without_readers as go; go();"
        "os.close(ours); print('lost', flush=True); open('done', 'w').close()"
    )
    ended = _shell(f'{sys.executable} -c "{code}"', tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "done").exists()
