"""Tests of medseg.datasets.download.fetch: files from a local server are checked and kept."""

import hashlib
import shutil
from collections import namedtuple

import pytest
from datasets.download.local_server import (
    CONTENT,
    CUT,
    NAME,
    OTHER,
    Page,
    entry,
    fetch,
    left,
    refusal,
    sha256,
)

from medseg.datasets.download import transfer
from medseg.datasets.download.fetch import download

# ---- whole files


def test_a_file_comes_whole_with_its_digest_beside_it(server, tmp_path):
    server.pages["/a"] = Page()
    assert fetch(entry(server), tmp_path / "out") == [tmp_path / "out" / NAME]
    assert (tmp_path / "out" / NAME).read_bytes() == CONTENT
    assert left(tmp_path / "out") == [NAME, f"{NAME}.sha256"]
    recorded = (tmp_path / "out" / f"{NAME}.sha256").read_text()
    assert recorded == f"{sha256(CONTENT)}  {NAME}\n"  # the form of sha256sum


def test_a_file_that_is_there_and_right_is_not_asked_for_again(server, tmp_path):
    server.pages["/a"] = Page()
    fetch(entry(server), tmp_path)
    fetch(entry(server), tmp_path)
    assert len(server.asked) == 1


def test_a_file_put_there_by_hand_is_checked_and_kept(server, tmp_path):
    (tmp_path / NAME).write_bytes(CONTENT)
    fetch(entry(server), tmp_path)
    assert server.asked == []


def test_a_wrong_file_of_that_name_is_set_aside_and_fetched_anew(server, tmp_path):
    server.pages["/a"] = Page()
    (tmp_path / NAME).write_bytes(OTHER)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    aside = [name for name in left(tmp_path) if name.startswith("set-")]
    assert [(tmp_path / name).read_bytes() for name in aside] == [OTHER]


@pytest.mark.parametrize(
    "checks", [{"md5": hashlib.md5(CONTENT).hexdigest()}, {"size": len(CONTENT)}]
)
def test_md5_and_size_alone_are_checked_too(server, tmp_path, checks):
    server.pages["/a"] = Page()
    fetch(entry(server, **checks), tmp_path)
    wrong = {"md5": "0" * 32} if "md5" in checks else {"size": len(CONTENT) + 1}
    told = refusal(entry(server, **wrong), tmp_path / "wrong", error=ValueError)
    assert "published" in told


def test_without_a_published_checksum_a_change_on_this_disk_is_noticed(server, tmp_path, caplog):
    server.pages["/a"] = Page()
    dataset = entry(server, size=len(CONTENT))
    fetch(dataset, tmp_path)
    (tmp_path / NAME).write_bytes(OTHER)
    fetch(dataset, tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert f"recorded was {sha256(CONTENT)}" in caplog.text


# ---- mirrors and refusals


def test_the_next_mirror_is_taken_where_one_has_not_got_the_file(server, tmp_path):
    server.pages["/b"] = Page()
    fetch(entry(server, "/a", "/b"), tmp_path)
    assert [path for path, _ in server.asked] == ["/a", "/b"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_mirrors_are_tried_in_the_order_of_the_table(server, tmp_path):
    server.pages |= {"/a": Page(), "/b": Page()}
    fetch(entry(server, "/b", "/a"), tmp_path)
    assert [path for path, _ in server.asked] == ["/b"]


def test_a_mirror_does_not_spoil_what_came_from_another(server, tmp_path):
    server.pages |= {"/a": Page(cuts=[CUT]), "/b": Page(cuts=[100])}
    refusal(entry(server, "/a", "/b"), tmp_path, error=ConnectionError, tries=1)
    fetch(entry(server, "/a", "/b"), tmp_path)
    assert server.asked[2:] == [("/a", f"bytes={CUT}-")]
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(server, tmp_path):
    server.pages["/a"] = Page(content=OTHER)
    told = refusal(entry(server), tmp_path, error=ValueError)
    assert (
        f"gives sha256 {sha256(OTHER)}, but the published file has {sha256(CONTENT)}: removed"
        in told
    )
    assert left(tmp_path) == []


def test_after_a_wrong_checksum_the_next_mirror_is_tried(server, tmp_path):
    server.pages |= {"/a": Page(content=OTHER), "/b": Page()}
    fetch(entry(server, "/a", "/b"), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_file_nobody_has_is_refused_at_once_with_what_to_do(server, tmp_path):
    told = refusal(entry(server), tmp_path, error=ConnectionError, tries=5)
    assert "the server answers 404 Not Found (0 bytes came)" in told
    assert f"put the file into {tmp_path} by other means" in told
    assert len(server.asked) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_disk_that_is_too_small_is_refused_before_anything_comes(
    server, tmp_path, monkeypatch, known
):
    server.pages["/a"] = Page()
    usage = namedtuple("usage", "total used free")(0, 0, transfer.SPARE_BYTES + 10_239)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    dataset = entry(server, size=len(CONTENT) if known else None)
    told = refusal(dataset, tmp_path, error=OSError)
    assert "make room or choose another folder" in told
    assert len(server.asked) == (0 if known else 1)
    assert not (tmp_path / NAME).exists()


def test_a_folder_that_another_process_fills_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr("medseg.datasets.download.fetch.hold", lambda _: False)
    assert "another process downloads to" in refusal(entry(server), tmp_path, error=OSError)


def test_nothing_is_asked_for_without_a_yes_to_the_licence(server, tmp_path):
    with pytest.raises(PermissionError, match=r"licence of toy \(CC0 1.0, https://example.org\)"):
        download(entry(server), tmp_path / "out")
    assert server.asked == []
    assert not (tmp_path / "out").exists()


def test_a_dataset_behind_a_login_is_refused_with_its_steps(tmp_path):
    with pytest.raises(
        PermissionError, match=r"by hand: \(1\) register at .*; \(2\) download gtFi"
    ):
        download("cityscapes", tmp_path / "out", accept_licence=True)
    assert not (tmp_path / "out").exists()


def test_an_unknown_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="dataset 'imagenet' is unknown: choose one of liver, "):
        download("imagenet", tmp_path, accept_licence=True)
