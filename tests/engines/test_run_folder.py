"""Tests of medseg.engines.run_folder: each run has a folder of its own, the latest is resumed."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from medseg.bundles.bundle import RUN_FILE, WEIGHTS
from medseg.engines import run_folder
from medseg.engines.run_folder import choose_run_folder, describe_resume


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def add_run(name, *, resumable=True):
    folder = Path("runs/liver") / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    if resumable:
        (folder / "resume.pt").touch()
    return str(folder)


def test_a_run_is_named_by_its_bundle_and_its_start():
    before = datetime.now().replace(microsecond=0)
    folder = Path(choose_run_folder("liver"))
    assert folder.is_dir()
    assert folder.parent == Path("runs/liver")
    assert before <= datetime.strptime(folder.name, "%Y-%m-%d_%H-%M-%S") <= datetime.now()


def test_runs_that_start_in_the_same_second_have_folders_of_their_own():
    assert len({choose_run_folder("liver") for _ in range(5)}) == 5


def test_the_latest_run_that_can_go_on_is_resumed():
    add_run("2026-01-01_00-00-00")
    latest = add_run("2026-01-02_00-00-00")
    add_run("2026-01-03_00-00-00", resumable=False)
    assert choose_run_folder("liver", resume=True) == latest


def test_a_run_that_is_named_as_the_bundle_is_the_one_to_resume():
    named = add_run("2026-01-01_00-00-00")
    add_run("2026-01-02_00-00-00")
    assert choose_run_folder("liver", resume=True, bundle_root=named) == named


def test_a_run_without_a_complete_epoch_begins_again_and_no_other_run_goes_on():
    named = add_run("my run", resumable=False)
    add_run("2026-01-02_00-00-00")
    said = (
        r"no epoch of runs/liver/my run is complete, .* nothing to resume: begin it again, medseg "
        r"train -b 'runs/liver/my run' --output_dir 'runs/liver/my run'$"
    )
    with pytest.raises(FileNotFoundError, match=said):
        choose_run_folder("liver", resume=True, bundle_root=named)


def test_a_run_whose_resume_file_was_deleted_does_not_let_another_go_on():
    named = add_run("2026-01-01_00-00-00", resumable=False)
    (Path(named) / "models").mkdir()
    (Path(named) / "models/model.pt").touch()
    add_run("2026-01-02_00-00-00")
    said = rf"{named} has weights but no resume.pt any more, .* settings, medseg train -b {named}$"
    with pytest.raises(FileNotFoundError, match=said):
        choose_run_folder("liver", resume=True, bundle_root=named)


def test_a_run_is_known_by_the_files_that_the_bundles_write():
    assert (run_folder._RUN_FILE, run_folder._WEIGHTS) == (RUN_FILE, WEIGHTS)


def test_an_interrupted_run_is_gone_on_with_by_the_command_that_is_named():
    folder = Path(add_run("a run", resumable=False))
    file = folder / "resume.pt"
    assert describe_resume(file).endswith("there is nothing to resume: run it again")
    file.touch()
    assert describe_resume(file).endswith("to go on, run it again with --resume True")
    (folder / "configs").mkdir()
    (folder / "configs/train.json").write_text("{}")
    assert describe_resume(file) == (
        "the complete epochs are kept; to go on: medseg train -b 'runs/liver/a run' --resume True"
    )


def test_without_a_run_there_is_nothing_to_resume():
    with pytest.raises(FileNotFoundError, match=r"no run to resume in .*runs/liver: pass the"):
        choose_run_folder("liver", resume=True)
    assert not Path("runs").exists()


def test_a_place_that_cannot_be_written_is_refused():
    Path("runs").touch()
    with pytest.raises(OSError, match="runs is not a folder"):
        choose_run_folder("liver")


@pytest.mark.long
@pytest.mark.parametrize(("leaves", "kept"), [("", False), ("open(f + '/log', 'w')", True)])
@pytest.mark.parametrize("above", ["", "runs", "runs/liver"])
def test_a_folder_that_is_still_empty_at_the_end_is_removed(leaves, kept, above):
    if above:
        Path(above).mkdir(parents=True)
    code = (
        "import os; from medseg.engines import choose_run_folder; f = choose_run_folder('liver'); "
        f"os.mkdir(f + '/models'); {leaves}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
    left = [path.as_posix() for path in sorted(Path().rglob("*"))]
    there_before = {"": [], "runs": ["runs"], "runs/liver": ["runs", "runs/liver"]}[above]
    assert (left[3:] == [f"{left[2]}/log"]) if kept else (left == there_before)
