"""Tests of medseg.datasets.sources.published_files: a folder and an archive give the same files, or
say why not."""

import os
import zipfile
from pathlib import Path

import pytest
from datasets.sources.published_source import pack, unpack

from medseg.datasets.sources import published_files
from medseg.datasets.sources.published_files import open_published

FILES = {
    "set/images/10.png": b"ten",
    "set/images/2.png": b"two",
    "set/masks/2.PNG": b"mask",
    "readme.txt": b"text",
}
CLUTTER = ("set/images/._2.png", "__MACOSX/set/images/2.png", ".DS_Store")


def test_files_come_in_the_order_of_their_numbers_and_without_clutter(source):
    with open_published(source({**FILES, **dict.fromkeys(CLUTTER, b"")}), remedy="x") as published:
        files = [file for file in published.files if Path(file).suffix]
        assert files == ["readme.txt", "set/images/2.png", "set/images/10.png", "set/masks/2.PNG"]
        assert published.read("set/images/10.png") == b"ten"


def test_stems_are_found_wherever_the_folder_lies_and_whatever_the_case_of_the_suffix(source):
    with open_published(source(FILES), remedy="x") as published:
        assert published.find_stems("images", first="PNG") == {
            "2": "set/images/2.png",
            "10": "set/images/10.png",
        }
        assert list(published.find_stems("set/masks", first="PNG")) == ["2"]
        assert not published.find_stems("other/masks", first="PNG")


def test_two_files_of_one_stem_are_refused(source):
    with (
        open_published(
            source({"a/images/1.png": b"", "b/images/1.png": b""}), remedy="x"
        ) as published,
        pytest.raises(ValueError, match=r"^a/images/1.png and b/images/1.png of .* called 1: keep"),
    ):
        published.find_stems("images", first="PNG")


def test_an_archive_among_the_files_is_read_as_if_it_were_unpacked(source, tmp_path):
    inner = pack(FILES, tmp_path / "inner.zip").read_bytes()
    with (
        open_published(source({"inner.zip": inner}), remedy="x") as published,
        published.open_archive("inner.zip") as part,
    ):
        assert part.read("set/images/2.png") == b"two"
        assert part.name == f"{published.name}/inner.zip"


def test_a_damaged_archive_among_the_files_is_refused(source):
    with (
        open_published(source({"inner.zip": b"text"}), remedy="x") as published,
        pytest.raises(ValueError, match=r"^inner.zip of .* cannot be read \(File is not a zip"),
        published.open_archive("inner.zip"),
    ):
        pass


def test_a_file_that_inflates_beyond_measure_is_refused_unread(tmp_path):
    path = pack({"a": b"123", "b": b"1234"}, tmp_path / "s.zip")
    with open_published(path, remedy="x", most_bytes=3) as published:
        assert published.read("a") == b"123"
        with pytest.raises(ValueError, match="it inflates to 4 bytes, more than 3"):
            published.read("b")


def test_a_file_that_inflates_a_thousandfold_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(published_files, "FREE_BYTES", 10**5)
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(10**5))
        archive.writestr("b", bytes(10**5 + 1))
    with open_published(path, remedy="x") as published:
        assert len(published.read("a")) == 10**5
        with pytest.raises(ValueError, match="bytes would inflate to 100001"):
            published.read("b")


def test_a_source_that_is_not_there_or_no_archive_is_refused(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"^no such file or folder: .*x.zip: give this$"),
        open_published(tmp_path / "x.zip", remedy="give this"),
    ):
        pass
    told = r"x.zip is incomplete or no zip archive \(100 bytes\): download it again, or give this$"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", "a" * 300)
    (tmp_path / "x.zip").write_bytes((tmp_path / "x.zip").read_bytes()[:100])
    with (
        pytest.raises(ValueError, match=told),
        open_published(tmp_path / "x.zip", remedy="give this"),
    ):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_pipe_or_device_is_refused_at_once(make, tmp_path):
    """Nobody writes to the pipe, so that whoever opens it would wait for ever."""
    make(tmp_path / "set.zip")
    with (
        pytest.raises(ValueError, match=r"is a pipe, socket or device: give set\.zip"),
        open_published(tmp_path / "set.zip", remedy="give set.zip"),
    ):
        pass


def test_folders_behind_links_are_read_and_circles_are_not_followed(tmp_path):
    unpack(FILES, tmp_path / "elsewhere")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "set").symlink_to(tmp_path / "elsewhere" / "set")
    (tmp_path / "source" / "round").symlink_to(tmp_path / "source")
    with open_published(tmp_path / "source", remedy="") as published:
        assert published.files == ("set/images/2.png", "set/images/10.png", "set/masks/2.PNG")
        assert published.read("set/images/10.png") == b"ten"


def test_links_to_nothing_and_pictures_of_no_format_that_is_read_are_named(tmp_path, caplog):
    folder = unpack({**FILES, "set/images/3.webp": b"webp"}, tmp_path / "set")
    for parent in ("images", "masks"):
        (folder / "set" / parent / "4.png").symlink_to("/nowhere/4.png")
    (folder / "set/images/5.png").symlink_to("5.png")
    with open_published(folder, remedy="give a folder") as published:
        assert sorted(published.files) == sorted([*FILES, "set/images/3.webp"])
    assert f"left out of {folder}: 3 files that are broken links" in caplog.text
    assert "(set/images/4.png, set/images/5.png, set/masks/4.png)" in caplog.text
    assert "1 file in an unsupported format (set/images/3.webp)" in caplog.text


def test_an_archive_names_its_pictures_of_no_format_that_is_read(tmp_path, caplog):
    with open_published(
        pack({**FILES, "set/a.GIF": b"gif"}, tmp_path / "a.zip"), remedy="give one"
    ):
        pass
    assert "1 file in an unsupported format (set/a.GIF)" in caplog.text


def test_a_set_of_what_is_read_has_no_warning(tmp_path, caplog):
    with open_published(
        unpack({**FILES, **dict.fromkeys(CLUTTER, b"")}, tmp_path), remedy="give one"
    ):
        pass
    assert caplog.text == ""
