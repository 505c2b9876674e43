import os

import pytest

from medseg.bundles.own.undo import undo_large_on_error, undo_on_error


def write_and_fail(files, error):
    with undo_on_error(files):
        for file in files:
            file.parent.mkdir(exist_ok=True)
            file.write_text("after")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_where_it_fails_files_have_their_content_again_and_new_ones_are_gone(tmp_path, error):
    old, new = tmp_path / "old.json", tmp_path / "made" / "new.json"
    old.write_text("before")
    with pytest.raises(error):
        write_and_fail([old, new], error)
    assert old.read_text() == "before"
    assert not new.parent.exists()


def test_a_folder_that_holds_more_stays(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "other").touch()
    with pytest.raises(ValueError, match="fails"):
        write_and_fail([folder / "new.json"], ValueError("fails"))
    assert [path.name for path in folder.iterdir()] == ["other"]


def test_where_all_goes_well_the_new_content_stays(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("before")
    with undo_on_error([old]):
        old.write_text("after")
    assert old.read_text() == "after"


PATTERNS = ("images/*.nii", "labels/*.nii")


def replace_and_fail(folder, error):
    with undo_large_on_error(folder, PATTERNS):
        for name in ("images/old.nii", "images/new.nii", "labels/new.nii"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "partial").write_text("after")
            (folder / "partial").replace(folder / name)
        raise error


@pytest.mark.parametrize("error", [ValueError("fails"), KeyboardInterrupt()])
def test_large_files_that_are_new_are_gone_with_their_folders_where_it_fails(tmp_path, error):
    with pytest.raises(type(error)):
        replace_and_fail(tmp_path / "data" / "kidney", error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_large_files_that_were_there_are_as_they_were(tmp_path, monkeypatch, links):
    def refuse(*_args):
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "images").mkdir()
    for name in ("old.nii", "other.txt"):
        (tmp_path / "images" / name).write_text("before")
    with pytest.raises(ValueError, match="fails"):
        replace_and_fail(tmp_path, ValueError("fails"))
    found = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"old.nii": "before", "other.txt": "before"}
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_where_all_goes_well_large_files_stay_and_no_link_is_left(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old.nii").write_text("before")
    with undo_large_on_error(tmp_path, PATTERNS):
        (tmp_path / "images" / "new.nii").write_text("after")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["images", "new.nii", "old.nii"]
