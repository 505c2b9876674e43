"""Launches of the multi-GPU training as a user makes them, and how each of them ends.

`MEDSEG_LAUNCHES` says how many whole runs are made, 100 by default; a launch takes about 15 s.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medseg.datasets import phantom

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]

LAUNCHES = int(os.environ.get("MEDSEG_LAUNCHES", "100"))
LONGEST_SECONDS = 300
BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
TINY = {
    "channels": [2, 4, 6],
    "head_weights": [1, 1],
    "num_workers": 0,
    "folds": 2,
    "val_interval": 1,
    "mixed_precision": False,
    "image_size": [48, 48],
    "batch_size": 1,
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("launches")
    (root / "bundles").symlink_to(BUNDLES)
    phantom.write("ct", root / "data/liver", cases=4, size=48, slices=2)
    return root


def launch(workspace: Path, out: str, **choices) -> subprocess.Popen[str]:
    files = [f"bundles/liver/configs/{name}.json" for name in ("train", "multi_gpu_train")]
    config = ["--config_file", str(files)]
    places = {"output_dir": f"runs/{out}", "weights": f"runs/{out}/model.pt"}
    settings = {**TINY, **places, **choices}.items()
    overrides = [word for key, value in settings for word in (f"--{key}", str(value))]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    own = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, *torchrun, "-m", "monai.bundle", "run", "training", *config, *overrides],
        cwd=workspace,
        env={**os.environ, **own},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job may ignore it
    )


def after_an_epoch(workspace: Path, out: str) -> subprocess.Popen[str]:
    """A launch that would run for long, when its first epoch is saved."""
    run = launch(workspace, out, max_epochs=100_000, patience="$None")
    until = time.monotonic() + LONGEST_SECONDS
    while not (workspace / f"runs/{out}/resume.pt").exists():
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.1)
    return run


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_launch_aborts_at_its_end(workspace):
    failed = []
    for number in range(LAUNCHES):
        run = launch(workspace, f"whole_{number}", max_epochs=1)
        _, said = run.communicate(timeout=LONGEST_SECONDS)
        if run.returncode != 0 or "terminate called" in said:
            failed.append((number, run.returncode, said[-2000:]))
    assert failed == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_launch_that_is_stopped_leaves_no_process_and_no_traceback_of_ours(workspace, number):
    run = after_an_epoch(workspace, f"stopped_{number}")
    workers = children(run.pid)
    assert len(workers) == 2
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode != 0
    assert not any(is_running(worker) for worker in workers)
    assert "finished work is kept" in said
    assert "terminate called" not in said
    assert "]: Traceback" not in said  # that of torchrun itself has no rank before it


@pytest.mark.parametrize("victim", [0, 1])
def test_where_a_process_is_killed_the_other_ends_with_a_line(workspace, victim):
    run = after_an_epoch(workspace, f"killed_{victim}")
    workers = children(run.pid)
    os.kill(workers[victim], signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert not any(is_running(worker) for worker in workers)
    lines = [line for line in said.splitlines() if f"[rank{1 - victim}]: " in line]
    assert len(lines) == 1, lines
    assert "another process" in lines[0]
    assert "terminate called" not in said
