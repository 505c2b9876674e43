"""Tests of medseg.datasets._link: files are linked or copied, and follow the source."""

import os

import pytest

from medseg.datasets._link import link


def copied_or_linked(monkeypatch, copied):
    def refuse(*_args):
        raise OSError("another disk")

    if copied:
        monkeypatch.setattr(os, "link", refuse)


def test_files_are_linked_and_a_second_run_leaves_them(tmp_path):
    source = tmp_path / "published" / "scan.one.nii.gz"
    source.parent.mkdir()
    source.write_bytes(b"volume")
    item = {"case": "scan.one", "patient": "x", "image": str(source)}
    for _ in range(2):
        made = link(tmp_path / "out", [item], parts={"image": "images", "label": "labels"})
        assert made == [{"case": "scan.one", "patient": "x", "image": "images/scan.one.nii.gz"}]
    assert os.path.samefile(source, tmp_path / "out" / made[0]["image"])


def test_files_are_copied_where_links_are_not_possible(tmp_path, monkeypatch):
    copied_or_linked(monkeypatch, copied=True)
    (tmp_path / "a.png").write_bytes(b"picture")
    item = {"case": "a", "patient": "a", "image": str(tmp_path / "a.png")}
    link(tmp_path / "out", [item], parts={"image": "images"})
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == b"picture"
    assert [p.name for p in (tmp_path / "out" / "images").iterdir()] == ["a.png"]


def published_file(tmp_path, content=b"volume", *, date=1):
    """The item of a file that is written anew, whatever was there before."""
    path = tmp_path / "published" / "a.nii"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(0, date))
    return {"case": "a", "patient": "a", "image": str(path)}


def linked(tmp_path, item):
    """The prepared file of an item, and what tells it from one that was written again."""
    link(tmp_path / "out", [item], parts={"image": "images"})
    (path,) = (tmp_path / "out" / "images").iterdir()
    return path, (path.stat().st_ino, path.stat().st_mtime_ns)


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("content", [b"VOLUME", b"longer volume"])
def test_a_file_is_brought_again_where_the_source_has_another(
    tmp_path, monkeypatch, copied, content
):
    copied_or_linked(monkeypatch, copied)
    linked(tmp_path, published_file(tmp_path))
    path, _ = linked(tmp_path, published_file(tmp_path, content, date=2))
    assert path.read_bytes() == content


@pytest.mark.parametrize("copied", [False, True])
def test_a_file_of_the_same_content_is_left_whatever_its_date(tmp_path, monkeypatch, copied):
    copied_or_linked(monkeypatch, copied)
    _, before = linked(tmp_path, published_file(tmp_path))
    _, after = linked(tmp_path, published_file(tmp_path, date=2))  # another file, the same bytes
    assert after == before


@pytest.mark.parametrize("copied", [False, True])
def test_other_content_of_the_same_size_and_date_is_brought(tmp_path, monkeypatch, copied):
    copied_or_linked(monkeypatch, copied)
    path, _ = linked(tmp_path, published_file(tmp_path, date=7))
    os.utime(path, ns=(0, 7))
    linked(tmp_path, published_file(tmp_path, date=7))  # compared, and found the same
    path, _ = linked(tmp_path, published_file(tmp_path, b"VOLUME", date=7))
    assert path.read_bytes() == b"VOLUME"


def test_a_link_is_not_read_again(tmp_path, monkeypatch):
    item = published_file(tmp_path)
    path, before = linked(tmp_path, item)
    monkeypatch.setattr("filecmp.cmp", None)
    assert linked(tmp_path, item) == (path, before)
