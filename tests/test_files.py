"""Tests of medseg.files."""

import os
import subprocess
import sys

import pytest

from medseg.files import hold, set_aside, whole


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "mask.nii.gz"
    with whole(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_every_suffix_and_the_folder(tmp_path):
    with whole(tmp_path / "mask.nii.gz") as partial:
        partial.touch()
        assert partial.suffixes[-2:] == [".nii", ".gz"]
        assert partial.parent == tmp_path


def test_missing_folders_are_made(tmp_path):
    with whole(str(tmp_path / "a" / "b" / "scores.csv")) as partial:
        partial.touch()
    assert (tmp_path / "a" / "b" / "scores.csv").exists()


def test_an_error_leaves_what_was_there_before(tmp_path):
    path = tmp_path / "model.pt"
    path.write_text("old")

    def interrupted():
        with whole(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "mask.nii.gz"):
        pass
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with whole(tmp_path / "a") as one, whole(tmp_path / "a") as other:
        assert one != other
        one.touch()
        other.touch()


def test_a_file_set_aside_keeps_its_content_under_a_dated_name(tmp_path):
    path = tmp_path / "metrics.csv"
    for text in ("first", "second"):
        path.write_text(text)
        os.utime(path, (0, 0))  # of the same second: both are kept all the same
        set_aside(path)
    assert not path.exists()
    assert sorted(p.read_text() for p in tmp_path.glob("metrics-*.csv")) == ["first", "second"]


def test_nothing_is_set_aside_where_there_is_nothing(tmp_path):
    assert set_aside(tmp_path / "absent") is None


def test_a_lock_is_held_by_one_process_and_let_go_when_that_ends(tmp_path):
    ask = f"from medseg.files import hold; print(hold({str(tmp_path / 'run.lock')!r}))"
    command = [sys.executable, "-c", ask]
    assert subprocess.check_output(command, text=True) == "True\n"
    assert hold(tmp_path / "run.lock")
    assert hold(tmp_path / "run.lock")
    assert subprocess.check_output(command, text=True) == "False\n"
