"""Tests of medseg.engines.distributed: how the processes of a group end, see `group_of_two`."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DataParallel

from medseg.engines import end_group, start_group, unwrap

SCRIPT = Path(__file__).with_name("group_of_two.py")
WAYS = (
    "ended",
    "left",
    "documented_error",
    "error_beside_a_stuck_process",
    "exit_3",
    "interrupted",
    "terminated",
    "killed",
)
KEPT = "finished work is kept: after one whole epoch, --resume True continues a training\n"
LOST = (
    "error: another process of this run has ended: see its own message; without one it "
    "was killed, often because memory ran out\n"
)
REFUSED = "error: /proc/nowhere/at/all cannot be written to"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory) -> dict[str, list[tuple[int, str]]]:
    """Of each way: exit status and standard error of both ranks."""
    own = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    own |= {"TMPDIR": str(tmp_path_factory.mktemp("groups"))}
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *WAYS],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    found.sort(key=lambda end: end["rank"])
    return {
        way: [(end["status"], end["stderr"]) for end in found if end["way"] == way] for way in WAYS
    }


def test_no_thread_of_the_group_is_left_though_a_network_is(ends):
    for status, said in ends["ended"]:
        before, after, network = json.loads(said)
        assert (status, after, network) == (0, 0, "DistributedDataParallel")
        assert before > 0


def test_an_operation_under_way_at_the_end_of_python_aborts_nothing(ends):
    assert ends["left"] == [(0, ""), (0, "")]


def test_an_error_ends_both_processes_each_with_a_line(ends):
    (status, said), other = ends["documented_error"]
    assert status == 1
    assert said.startswith(f"[rank0]: {REFUSED}")
    assert said.count("\n") == 1
    assert other == (1, f"[rank1]: {LOST}")


def test_a_process_with_an_error_does_not_wait_for_one_that_is_stuck(ends):
    (status, said), stuck = ends["error_beside_a_stuck_process"]
    assert status == 1
    assert said.startswith(f"[rank0]: {REFUSED}")
    assert said.count("\n") == 1
    assert stuck == (-signal.SIGKILL, "")


def test_the_exit_status_of_a_script_stays(ends):
    assert ends["exit_3"] == [(3, ""), (3, "")]


def test_an_interrupted_process_says_what_is_kept_and_ends_by_the_signal(ends):
    said = [f"[rank{rank}]: interrupted: {KEPT}" for rank in (0, 1)]
    assert ends["interrupted"] == [(-signal.SIGINT, line) for line in said]


def test_a_process_that_torchrun_ends_says_so_and_ends_by_the_signal(ends):
    why = "stopped by SIGTERM, which torchrun sends where another process ended"
    said = [f"[rank{rank}]: {why}; {KEPT}" for rank in (0, 1)]
    assert ends["terminated"] == [(-signal.SIGTERM, line) for line in said]


def test_a_process_whose_peer_is_killed_ends_with_a_line(ends):
    assert ends["killed"] == [(1, f"[rank0]: {LOST}"), (-signal.SIGKILL, "")]


def test_without_a_group_there_is_nothing_to_end():
    assert not dist.is_initialized()
    end_group()
    assert not dist.is_initialized()


def test_a_handler_of_sigterm_stays_and_ours_goes_with_the_group(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    before, hook = signal.getsignal(signal.SIGTERM), sys.excepthook

    def own(number, frame):
        return None

    try:
        for at_start in (own, signal.SIG_DFL):
            signal.signal(signal.SIGTERM, at_start)
            meeting = f"file://{tmp_path}/{at_start == own}"
            start_group("gloo", init_method=meeting, rank=0, world_size=1)
            during = signal.getsignal(signal.SIGTERM)
            end_group()
            assert (during is own) == (at_start is own)
            assert signal.getsignal(signal.SIGTERM) == at_start
    finally:
        signal.signal(signal.SIGTERM, before)
        sys.excepthook = hook


def test_a_group_can_start_outside_the_main_thread(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    hook, found = sys.excepthook, []

    def run() -> None:
        start_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
        found.append(dist.get_world_size())
        end_group()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    sys.excepthook = hook
    assert found == [1]
    assert not dist.is_initialized()


def test_a_wrapper_gives_what_it_holds():
    network = torch.nn.Linear(1, 1)
    assert unwrap(DataParallel(network)) is network


def test_anything_else_is_returned_as_it_is():
    network, state = torch.nn.Linear(1, 1), object()
    assert unwrap(network) is network
    assert unwrap(state) is state
