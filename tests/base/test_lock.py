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


@pytest.mark.parametrize("writes", [True, False])
def test_folders_made_for_a_lock_go_with_it_unless_they_hold_something(writes, tmp_path):
    lock = tmp_path / "run" / "models" / ".model.pt.lock"
    code = (
        "from pathlib import Path\n"
        "from medseg.base.lock import hold\n"
        f"lock = Path({str(lock)!r})\n"
        "print(hold(lock), lock.exists())\n"
    )
    code += "(lock.parent.parent / 'run.log').touch()\n" if writes else ""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True True\n"
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["run", "run/run.log"] if writes else [])


def test_a_folder_that_was_there_stays(tmp_path):
    (tmp_path / "models").mkdir()
    code = f"from medseg.base.lock import hold; hold({str(tmp_path / 'models' / 'a.lock')!r})"
    subprocess.check_call([sys.executable, "-c", code])
    assert list((tmp_path / "models").iterdir()) == []
