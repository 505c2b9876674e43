import pytest

from medseg.bundles.own.undo import undo_on_error


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
