"""Tests of medseg.base.lock."""

import subprocess
import sys

import pytest

from medseg.base.lock import hold, hold_within


def test_a_lock_is_held_by_one_process_and_let_go_when_that_ends(tmp_path):
    ask = f"from medseg.base.lock import hold; print(hold({str(tmp_path / 'run.lock')!r}))"
    command = [sys.executable, "-c", ask]
    assert subprocess.check_output(command, text=True) == "True\n"
    assert hold(tmp_path / "run.lock")
    assert hold(tmp_path / "run.lock")
    assert subprocess.check_output(command, text=True) == "False\n"


def test_a_lock_says_where_it_cannot_be(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(
        OSError, match=r"run\.lock cannot be written \(\S+/out is not a folder\): move"
    ):
        hold(tmp_path / "out" / "run.lock")


def test_a_lock_of_a_block_is_let_go_and_gone_when_that_ends(tmp_path):
    lock = tmp_path / "case.lock"
    with hold_within(lock) as mine:
        assert mine
        assert lock.exists()
    assert list(tmp_path.iterdir()) == []
    command = [
        sys.executable,
        "-c",
        f"from medseg.base.lock import hold; print(hold({str(lock)!r}))",
    ]
    assert subprocess.check_output(command, text=True) == "True\n"


def test_a_block_is_told_that_another_process_holds_its_lock(tmp_path):
    lock = tmp_path / "case.lock"
    with hold_within(lock):
        ask = (
            "from medseg.base.lock import hold_within\n"
            f"with hold_within({str(lock)!r}) as mine: print(mine)"
        )
        assert subprocess.check_output([sys.executable, "-c", ask], text=True) == "False\n"
        assert lock.exists()
