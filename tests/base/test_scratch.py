"""Tests of medseg.base.scratch: what a killed process left is removed, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medseg.base import scratch
from medseg.base.files import check_folder, whole
from medseg.base.scratch import ABANDONED_S, make_scratch_folder, remove_abandoned

HOLD = """
import sys, time
from medseg.base.files import whole
with whole(sys.argv[1]) as partial:
    partial.write_text("half")
    print(partial, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _nothing_collected_yet(monkeypatch):
    monkeypatch.setattr(scratch, "_searched", set())


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing `mask.nii.gz`, and the file that it writes."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "mask.nii.gz")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        partial = Path(process.stdout.readline().strip())
        assert partial.read_text() == "half"
        yield process, partial
        process.kill()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_scratch_folder_is_gone_after_its_block_also_after_an_error(tmp_path):
    with make_scratch_folder(tmp_path) as folder:
        (folder / "below").mkdir()
    assert not folder.exists()

    def fail():
        with make_scratch_folder(tmp_path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_without_a_parent_it_is_among_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with make_scratch_folder() as folder:
        assert folder.parent == tmp_path


def test_what_a_killed_process_left_is_removed(writer, tmp_path):
    process, partial = writer
    kill(process)
    assert partial.exists()
    assert remove_abandoned(tmp_path) == [partial.parent]
    assert list(tmp_path.iterdir()) == []


def test_what_a_running_process_makes_is_left_to_it(writer, tmp_path):
    _, partial = writer
    os.utime(partial.parent, (0, 0))  # however old it is
    assert remove_abandoned(tmp_path) == []
    assert partial.read_text() == "half"


@pytest.mark.parametrize("step", ["whole", "check_folder"])
def test_writing_or_asking_whether_one_may_write_collects(writer, tmp_path, step):
    process, _ = writer
    kill(process)
    if step == "whole":
        with whole(tmp_path / "other.csv") as partial:
            partial.touch()
        assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]
    else:
        check_folder(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_what_this_process_makes_is_not_collected_by_itself(tmp_path):
    with make_scratch_folder(tmp_path) as folder:
        assert remove_abandoned(tmp_path) == []
        assert folder.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        ".medseg",
        ".medseg-notes",
        ".medseg-0123456789abcdef.bak",
        "medseg-0123456789abcdef",
        ".0a1b2c3d.a.png",
    ],
)
def test_files_and_folders_of_the_user_stay(tmp_path, name):
    (tmp_path / name).mkdir()
    assert remove_abandoned(tmp_path) == []
    assert (tmp_path / name).is_dir()


def test_a_file_or_link_of_such_a_name_stays(tmp_path):
    (tmp_path / ".medseg-0123456789abcdef").touch()
    (tmp_path / "precious").mkdir()
    (tmp_path / ".medseg-fedcba9876543210").symlink_to(tmp_path / "precious")
    assert remove_abandoned(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_subfolders_are_looked_into_as_deep_as_asked(tmp_path):
    deep = tmp_path / "slices" / "images" / ".medseg-0123456789abcdef"
    deep.mkdir(parents=True)
    assert remove_abandoned(tmp_path, levels=1) == []
    assert remove_abandoned(tmp_path, levels=2) == [deep]


def test_a_folder_that_is_absent_holds_nothing_to_collect(tmp_path):
    assert remove_abandoned(tmp_path / "absent") == []


def test_where_there_are_no_locks_only_what_has_not_changed_for_a_day_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_hold", lambda folder: None)
    fresh, old = (tmp_path / f".medseg-{digit * 16}" for digit in "01")
    for folder in (fresh, old):
        folder.mkdir()
        (folder / "a").touch()
    before = time.time() - ABANDONED_S - 60
    for path in (old / "a", old):
        os.utime(path, (before, before))
    os.utime(fresh, (before, before))  # the file in it is new
    assert remove_abandoned(tmp_path) == [old]


def test_a_folder_collected_before_it_was_held_is_made_again(tmp_path, monkeypatch):
    hold, taken = scratch._hold, []

    def collected_first(folder):
        if not taken:
            taken.append(folder)
            folder.rmdir()
        return hold(folder)

    monkeypatch.setattr(scratch, "_hold", collected_first)
    with make_scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert folder != taken[0]
