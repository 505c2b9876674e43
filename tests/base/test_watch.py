"""Tests of medseg.base.watch: what is taken away from a run while it goes on is named at its
end."""

import logging
import shutil
from contextlib import ExitStack, closing

import pytest

from medseg.base.files import check_folder, remove, set_aside, whole
from medseg.base.scratch import make_scratch_folder
from medseg.base.watch import Watch


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def watched():
    """Begins a watch; it ends with the test."""
    with ExitStack() as until_done:
        yield lambda: until_done.enter_context(closing(Watch()))


def write(path, text="new"):
    with whole(path) as partial:
        partial.write_text(text)


def test_a_run_that_nobody_disturbs_has_lost_nothing(out, watched):
    (out / "old").mkdir(parents=True)
    check_folder(out)
    watch = watched()
    for name in ("a.png", "b.png", "a.png"):
        write(out / name)
    write(out / "old" / "c.png")
    assert (watch.find_lost(), watch.list_replaced()) == ([], [])
    watch.check()


def test_a_single_file_that_was_taken_away_is_lost_and_no_folder_was_replaced(out, watched):
    watch = watched()
    for name in ("a.png", "b.png"):
        write(out / name)
    (out / "a.png").unlink()
    assert (watch.find_lost(), watch.list_replaced()) == ([out / "a.png"], [])


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("back", [True, False])
def test_a_folder_moved_removed_or_replaced_is_told_at_once_and_at_the_end(
    out, watched, caplog, moved, back
):
    watch = watched()
    write(out / "a.png")
    shutil.move(out, out.with_name("elsewhere")) if moved else shutil.rmtree(out)
    if back:
        out.mkdir()
    with caplog.at_level(logging.ERROR):
        write(out / "b.png")
    assert f"{out} was removed, moved or replaced" in caplog.text
    assert "these files are lost: a.png" in caplog.text
    with pytest.raises(
        FileNotFoundError, match=r"lost: \S+/a\.png; these remain: 1 file \(b\.png\)"
    ) as caught:
        watch.check()
    assert "\n" not in str(caught.value)


def test_the_end_finds_a_folder_that_went_after_the_last_file(out, watched):
    watch = watched()
    write(out / "a.png")
    shutil.rmtree(out)
    with pytest.raises(FileNotFoundError, match=r"lost: \S+/a\.png; these remain: 0 files:"):
        watch.check()


def test_a_file_that_was_written_again_is_not_lost_but_the_folder_is_named(out, watched):
    watch = watched()
    write(out / "resume.pt")
    shutil.rmtree(out)
    write(out / "resume.pt")
    assert (watch.find_lost(), watch.list_replaced()) == ([], [out])
    with pytest.raises(FileNotFoundError, match="lost: files that the run began with"):
        watch.check()


def test_what_was_in_the_folder_before_the_run_is_missed_too(out, watched):
    write(out / "earlier.png")
    check_folder(out)
    watch = watched()
    shutil.rmtree(out)
    write(out / "a.png")
    assert watch.find_lost() == [out / "earlier.png"]


def test_an_empty_folder_that_vanishes_before_the_first_file_is_told(out, watched):
    out.mkdir()
    check_folder(out)
    watch = watched()
    out.rmdir()
    write(out / "a.png")
    assert (watch.find_lost(), watch.list_replaced()) == ([], [out])


def test_a_folder_removed_before_the_run_asked_for_it_is_none_of_its_business(out, watched):
    write(out / "earlier.png")
    check_folder(out)
    shutil.rmtree(out)
    check_folder(out)
    watch = watched()
    write(out / "a.png")
    watch.check()


def test_what_medseg_itself_moves_or_removes_is_not_lost(out, watched):
    watch = watched()
    for name in ("a.csv", "b.csv", "c.csv"):
        write(out / name)
    remove(out / "a.csv")
    set_aside(out / "b.csv")
    assert (watch.find_lost(), watch.list_replaced()) == ([], [])


def test_what_is_made_in_a_scratch_folder_and_moved_out_is_not_lost(out, watched):
    """As a pruned bundle, which appears whole."""
    out.mkdir()
    watch = watched()
    with make_scratch_folder(out) as scratch:
        for name in ("model.pt", "model.json"):
            write(scratch / "small" / "models" / name)
        (scratch / "small").rename(out / "small")
    write(out / "a.png")
    assert (watch.find_lost(), watch.list_replaced()) == ([], [])
    watch.check()
    (out / "a.png").unlink()
    assert watch.find_lost() == [out / "a.png"]


def test_a_folder_whose_number_changes_with_all_files_in_it_is_the_same(out, watched):
    """As on network disks that number their folders as they please."""
    watch = watched()
    write(out / "a.png")
    shutil.copytree(out, out.with_name("copy"))
    shutil.rmtree(out)
    out.with_name("copy").rename(out)
    write(out / "b.png")
    watch.check()


def test_the_watch_of_an_earlier_run_does_not_speak_up(out, watched, caplog):
    watch = watched()
    write(out / "a.png")
    watch.close()
    shutil.rmtree(out)
    write(out / "b.png")
    assert caplog.text == ""


def test_what_another_process_makes_in_the_folder_meanwhile_is_not_missed(out, watched):
    out.mkdir()
    with make_scratch_folder(out):
        check_folder(out)
        watch = watched()
    write(out / "a.png")
    watch.check()


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_file_that_another_program_cut_or_replaced_is_changed(out, watched, length):
    watch = watched()
    for name in ("a.png", "b.png"):
        write(out / name)
    (out / "a.png").write_bytes(bytes(length))
    assert (watch.find_lost(), watch.find_changed()) == ([], [out / "a.png"])
    with pytest.raises(FileNotFoundError, match=r"out/a\.png changed after this run wrote it"):
        watch.check()


def test_a_file_that_the_run_writes_again_is_not_changed(out, watched):
    watch = watched()
    for text in ("short", "a longer text", ""):
        write(out / "a.csv", text)
    assert watch.find_changed() == []
    watch.check()


def test_a_folder_that_is_gone_while_a_file_is_written_is_named(out):
    def write_where_the_folder_is_gone(error):
        with whole(out / "a.onnx"):
            shutil.rmtree(out)
            if error is not None:
                raise error

    for error in (RuntimeError("Parent directory does not exist."), OSError("no"), None):
        with pytest.raises(FileNotFoundError, match=r"out was removed, moved or .* a\.onnx was wr"):
            write_where_the_folder_is_gone(error)


def test_files_that_are_gone_are_named_and_their_folder_is_not_said_to_be(out, watched):
    watch = watched()
    for name in ("a.png", "b.png", "c.png"):
        write(out / name)
    (out / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"out/a\.png is gone, another program ") as caught:
        watch.check()
    assert "b.png" not in str(caught.value)
    (out / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.png are gone, another program removed"):
        watch.check()
