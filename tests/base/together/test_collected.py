"""Tests of medseg.base.together.collected: what waits for its place, and what is to go."""

from contextlib import ExitStack

from medseg.base.together.collected import Collected, find_current


def test_files_of_a_folder_wait_in_one_scratch_folder_beside_them(tmp_path):
    with ExitStack() as until_done:
        collected = Collected(until_done)
        first, second = (collected.prepare(tmp_path / name) for name in "ab")
        assert first.parent == second.parent
        assert first.parent.parent == tmp_path
        assert collected.prepare_earlier(tmp_path / "a").parent.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_removed_before_it_has_its_place_never_takes_it(tmp_path):
    with ExitStack() as until_done:
        collected = Collected(until_done)
        collected.prepare(tmp_path / "a").touch()
        collected.add(tmp_path / "a", replace=True)
        collected.remove(tmp_path / "a")
        assert (collected.replace, collected.removed) == ({}, {})


def test_nothing_collects_outside_of_a_block(tmp_path):
    assert find_current(tmp_path / "a") is None
