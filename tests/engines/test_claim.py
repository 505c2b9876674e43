"""Tests of medseg.engines.claim: one run alone writes a file, whoever asks and however it ends."""

import os
import signal
import subprocess
import sys

import pytest
from engines.tiny_run import TinyRun

from medseg.base.lock import hold
from medseg.engines import claim as claim_module
from medseg.engines import claim_folder, claim_weights, set_curves_aside

HOLD = """
import os, sys, time
from medseg.base.lock import hold
held = hold(sys.argv[1])
if os.fork() == 0:  # as a worker that outlives its parent
    time.sleep(60)
    os._exit(0)
print(held, flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_process():
    """A function that makes another process hold a lock file, and returns that process."""
    started = []

    def start(lock):
        command = [sys.executable, "-c", HOLD, str(lock)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout.readline() == "True\n"
        return process

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_weights_that_another_run_writes_are_refused_before_anything_is_trained(
    tmp_path, other_process
):
    run = TinyRun(tmp_path)
    other_process(tmp_path / "models" / ".model.pt.lock")
    with pytest.raises(
        FileExistsError, match=r"another run is writing .*/model\.pt: wait .*--weig"
    ):
        run.run()
    assert run.trainer.state.iteration == 0


def test_a_link_leads_to_the_same_weights(tmp_path, other_process):
    (tmp_path / "models").mkdir()
    (tmp_path / "same").symlink_to("models")
    other_process(tmp_path / "models" / ".model.pt.lock")
    with pytest.raises(FileExistsError, match="another run is writing its best weights"):
        claim_weights(tmp_path / "same" / "model.pt")


def test_a_folder_in_which_another_run_trains_is_refused(tmp_path, other_process):
    other_process(tmp_path / "resume.lock")
    with pytest.raises(FileExistsError, match=r"another process is training in .*--output_dir"):
        claim_folder(tmp_path / "resume.pt")


def test_a_killed_process_lets_go_at_once_though_its_workers_live_on(tmp_path, other_process):
    process = other_process(tmp_path / ".model.pt.lock")
    process.kill()
    process.wait()
    claim_weights(tmp_path / "model.pt")


def test_only_the_first_of_several_processes_of_a_run_claims(tmp_path, other_process, monkeypatch):
    other_process(tmp_path / ".model.pt.lock")
    monkeypatch.setattr(claim_module.idist, "get_rank", lambda: 1)
    claim_weights(tmp_path / "model.pt")


def test_other_weights_of_the_same_folder_are_free(tmp_path, other_process):
    other_process(tmp_path / ".first.pt.lock")
    claim_weights(tmp_path / "second.pt")


def test_a_process_that_ends_leaves_no_lock_file(tmp_path):
    lock = tmp_path / "run.lock"
    ask = f"import os; from medseg.base.lock import hold; print(hold({str(lock)!r}), os.listdir())"
    said = subprocess.check_output([sys.executable, "-c", ask], cwd=tmp_path, text=True)
    assert said == "True ['run.lock']\n"
    assert not lock.exists()
    assert hold(lock)


CURVES = "events.out.tfevents.1700000000.host.12.0"


def test_curves_of_a_run_that_left_nothing_to_resume_are_moved(tmp_path, caplog):
    (tmp_path / CURVES).write_bytes(b"first steps")
    set_curves_aside(tmp_path / "resume.pt")
    assert not (tmp_path / CURVES).exists()
    (moved,) = (tmp_path / "interrupted").iterdir()
    assert "tfevents" in moved.name
    assert moved.read_bytes() == b"first steps"
    assert f"1 file with curves of an interrupted run moved to {moved.parent}" in caplog.text


def test_curves_of_a_run_to_resume_stay(tmp_path):
    (tmp_path / CURVES).write_bytes(b"first epoch")
    (tmp_path / "resume.pt").write_bytes(b"state")
    set_curves_aside(tmp_path / "resume.pt")
    assert sorted(p.name for p in tmp_path.iterdir()) == [CURVES, "resume.pt"]


def test_a_folder_without_curves_is_left_alone(tmp_path, caplog):
    set_curves_aside(tmp_path / "absent" / "resume.pt")
    set_curves_aside(tmp_path / "resume.pt")
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""


def test_weights_of_another_bundle_are_not_replaced_by_a_training(tmp_path):
    weights = tmp_path / "nuclei" / "models" / "model.pt"
    weights.parent.mkdir(parents=True)
    (tmp_path / "nuclei" / "configs").mkdir()
    run = tmp_path / "run"
    claim_weights(weights, output_dir=run)  # it has none
    weights.touch()
    with pytest.raises(
        FileExistsError, match=r"overwrite .*, the weights of .*: leave out --weights,"
    ):
        claim_weights(weights, output_dir=run)
    claim_weights(weights, output_dir=run, resume=True)
    claim_weights(weights, output_dir=tmp_path / "nuclei")  # its own
