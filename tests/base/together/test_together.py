"""Tests of medseg.base.together: files take their places at once, or nothing changes."""

from contextlib import closing

import pytest

from medseg.base.files import remove, whole
from medseg.base.together.collected import find_written
from medseg.base.together.together import together
from medseg.base.watch import Watch


def write(path, text, **options):
    with whole(path, **options) as partial:
        partial.write_text(text)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_nothing_is_there_before_the_end_and_everything_after_it(tmp_path):
    with closing(Watch()) as watch:
        with together():
            write(tmp_path / "a", "1")
            write(tmp_path / "b", "2")
            assert contents(tmp_path) == {}
            assert find_written(tmp_path / "a").read_text() == "1"
            assert watch.written == []
        assert contents(tmp_path) == {"a": "1", "b": "2"}
        assert watch.written == [tmp_path / "a", tmp_path / "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert find_written(tmp_path / "a") == tmp_path / "a"


def test_an_error_leaves_everything_as_it_was(tmp_path):
    write(tmp_path / "a", "old")
    write(tmp_path / "c", "old")

    def fail():
        with together():
            write(tmp_path / "a", "new")
            remove(tmp_path / "c")
            write(tmp_path / "b", "new")
            raise ValueError("of the case")

    with pytest.raises(ValueError, match="of the case"):
        fail()
    assert contents(tmp_path) == {"a": "old", "c": "old"}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_moved_goes_back_where_a_later_file_cannot_take_its_place(tmp_path):
    for name in "ac":
        write(tmp_path / name, "old")
    (tmp_path / "z").mkdir()

    def fail():
        with together():
            remove(tmp_path / "c")
            for name in "abz":
                write(tmp_path / name, "new")

    with pytest.raises(OSError, match=r"z cannot be written \(it is a folder\): move it away"):
        fail()
    assert contents(tmp_path) == {"a": "old", "c": "old"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_came_meanwhile_is_kept_and_the_others_are_not_written(tmp_path):
    def fail():
        with together():
            write(tmp_path / "a", "new")
            write(tmp_path / "b", "new", replace=False)
            (tmp_path / "b").write_text("of another")

    with pytest.raises(FileExistsError, match="written by another program"):
        fail()
    assert contents(tmp_path) == {"b": "of another"}


def test_a_file_may_be_removed_and_written_again_in_any_order(tmp_path):
    write(tmp_path / "a", "old")
    write(tmp_path / "b", "old")
    with together():
        remove(tmp_path / "a")
        write(tmp_path / "a", "new")
        write(tmp_path / "b", "new")
        remove(tmp_path / "b")
    assert contents(tmp_path) == {"a": "new"}


def test_a_folder_in_the_place_of_a_file_that_is_to_go_is_refused_at_once(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=r"a cannot be written \(it is a folder\)"), together():
        remove(tmp_path / "a")
    assert (tmp_path / "a").is_dir()


def test_the_block_within_a_block_ends_with_the_outer_one(tmp_path):
    with together():
        with together():
            write(tmp_path / "a", "1")
        assert contents(tmp_path) == {}
    assert contents(tmp_path) == {"a": "1"}


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    write(tmp_path / "to", "old")
    (tmp_path / "a").symlink_to("to")
    with together():
        write(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": "new", "to": "old"}
    assert not (tmp_path / "a").is_symlink()
