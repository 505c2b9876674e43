"""Tests of medseg.datasets.sources.stamp: one stamp for one content, kept inside the picture."""

import numpy as np
import pytest
from datasets.published import pack
from PIL import Image

from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.published_files import File, open_published


@pytest.fixture
def folder(tmp_path):
    """Two files, one and two bytes long."""
    (tmp_path / "set").mkdir()
    for name, content in (("a.png", b"1"), ("b.png", b"22")):
        (tmp_path / "set" / name).write_bytes(content)
    return tmp_path / "set"


def stamp(source, *names):
    with open_published(source, remedy="x") as published:
        return _stamp.hash_files(*(File(published, name) for name in names))


def test_a_folder_a_renamed_file_and_an_archive_have_one_stamp(folder, tmp_path):
    before = stamp(folder, "a.png", "b.png")
    assert stamp(pack(folder, tmp_path / "set.zip"), "a.png", "b.png") == before
    (folder / "a.png").rename(folder / "c.png")
    assert stamp(folder, "c.png", "b.png") == before


def test_an_archive_is_not_read_for_its_stamp(folder, tmp_path, monkeypatch):
    path = pack(folder, tmp_path / "set.zip")
    expected = stamp(folder, "a.png")
    monkeypatch.setattr("zipfile.ZipFile.read", None)
    assert stamp(path, "a.png") == expected


@pytest.mark.parametrize("content", [b"2", b"11", b""])
def test_other_content_has_another_stamp(folder, content):
    before = stamp(folder, "a.png", "b.png")
    (folder / "a.png").write_bytes(content)
    assert stamp(folder, "a.png", "b.png") != before


def test_order_and_number_of_files_count(folder):
    stamps = {stamp(folder, *names) for names in (("a.png",), ("a.png",) * 2)}
    stamps |= {stamp(folder, *names) for names in (("a.png", "b.png"), ("b.png", "a.png"))}
    assert len(stamps) == 4


def test_pixels_shape_and_type_of_an_array_count_and_its_memory_does_not():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    others = (array.reshape(3, 2), array.view(np.int8), array[::-1], array + 1)
    stamps = [_stamp.hash_arrays(other) for other in (array, *others)]
    assert len(set(stamps)) == 5
    assert _stamp.hash_arrays(np.asfortranarray(array)) == stamps[0]


def test_a_stamp_is_read_from_the_picture_that_bears_it(tmp_path):
    picture = Image.new("L", (3, 2))
    picture.save(tmp_path / "a.png", pnginfo=_stamp.make_chunk("5f0c"))
    assert _stamp.read(tmp_path / "a.png") == "5f0c"


def test_no_file_no_picture_and_no_chunk_is_no_stamp(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "bare.png")
    (tmp_path / "text.png").write_bytes(b"text")
    for name in ("absent", "text", "bare"):
        assert _stamp.read(tmp_path / f"{name}.png") is None
