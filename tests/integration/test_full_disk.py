"""Tests of a training whose disk is full: one line, and what was there before stays."""

import os
import subprocess
import sys

import pytest
import torch

FULL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from engines.tiny_run import TinyRun
from ignite.engine import Events
from medseg.base.errors import print_errors_in_one_line

print_errors_in_one_line()
folder = Path(sys.argv[1])
run = TinyRun(folder, max_epochs=3)

def fill(_):
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

run.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), fill)
run.run()
"""


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB, where it may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_in_mid_run_leaves_the_epoch_before(small_disk, repository):
    command = [sys.executable, "-c", FULL, str(small_disk), str(repository / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "cannot be written (No space left on device)" in done.stderr
    assert torch.load(small_disk / "resume.pt", weights_only=True)["engine"]["epoch"] == 1
    assert torch.load(small_disk / "models" / "model.pt", weights_only=True)
