"""Tests of medseg.datasets.download.fetch: what comes over a local HTTP server, checked and
resumed."""

import hashlib
import logging
import shutil
import threading
from collections import namedtuple
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from medseg.datasets.download import transfer
from medseg.datasets.download.catalogue import Dataset, File
from medseg.datasets.download.fetch import download

CONTENT = bytes(range(256)) * 40  # 10240 bytes
OTHER = CONTENT[::-1]
NAME = "set.zip"
CUT = 4000


@dataclass
class Page:
    """What the server gives for a path, and how it misbehaves."""

    content: bytes = CONTENT
    etag: str | None = '"v1"'
    ranges: bool = True
    if_range: bool = True  # whether a changed file is sent whole
    stated: bool = True  # whether the length is
    kind: str = "application/zip"
    cuts: list[int] = field(default_factory=list)  # bytes of the body before each cut
    statuses: list[int] = field(default_factory=list)  # answers before the first good one


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        page = self.server.pages.get(self.path)
        if page is None or page.statuses:
            self.send_error(404 if page is None else page.statuses.pop(0))
            return
        begin = self._begin(page)
        if begin is None:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(page.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(page, begin)

    def _begin(self, page):
        """The first byte to send; None beyond the end."""
        wanted, same = self.headers.get("Range"), self.headers.get("If-Range") == page.etag
        if wanted is None or not page.ranges or (page.if_range and not same):
            return 0
        begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        return begin if begin < len(page.content) else None

    def _send(self, page, begin):
        body, total = page.content[begin:], len(page.content)
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        self.send_header("Content-Type", page.kind)
        if page.stated:
            self.send_header("Content-Length", str(len(body)))
        if page.etag:
            self.send_header("ETag", page.etag)
        self.end_headers()
        self.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server of the pages in `server.pages`; `server.asked` tells what was asked for."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.pages, made.asked = {}, []
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def entry(server, *paths, **checks):
    """A dataset of one file at the given mirrors, checked by its SHA-256 unless told otherwise."""
    checks = checks or {"sha256": sha256(CONTENT)}
    file = File(NAME, tuple(server.url + path for path in paths or ("/a",)), **checks)
    return Dataset("toy", "Toy", "CC0 1.0", "No conditions.", "https://example.org", files=(file,))


def fetch(dataset, out, **options):
    options = {"tries": 2, "wait_s": 0.0, "timeout_s": 60.0, **options}
    return download(dataset, out, accept_licence=True, **options)


def refusal(dataset, out, *, error, **options):
    with pytest.raises(error) as caught:
        fetch(dataset, out, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def left(out):
    """What lies in the folder, but for the lock."""
    return sorted(path.name for path in out.iterdir() if path.name != ".download.lock")


def ranges(server):
    return [wanted for _, wanted in server.asked]


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


# ---- resuming


def test_a_cut_file_goes_on_where_it_stopped(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT])
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT])
    assert f"{CUT} of 10240 bytes came" in refusal(
        entry(server), tmp_path, error=ConnectionError, tries=1
    )
    assert [path.stat().st_size for path in tmp_path.glob("*.part")] == [CUT]
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_file_again_from_its_start(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT], ranges=False)
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_does_not_name_versions_is_never_asked_for_the_rest(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT], etag=None)
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, None]
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_in_between_is_not_patched_together(server, tmp_path, if_range):
    """Whether the server knows If-Range or sends the rest of the new version all the same."""
    server.pages["/a"] = Page(content=OTHER, cuts=[CUT])
    refusal(entry(server), tmp_path, error=ConnectionError, tries=1)
    server.pages["/a"] = Page(etag='"v2"', if_range=if_range)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_that_is_whole_already_is_not_fetched_again(server, tmp_path, monkeypatch, size):
    """A run that ended after the last byte and before the check."""
    server.pages["/a"] = Page()
    dataset = entry(server, size=size, sha256=sha256(CONTENT))
    part = transfer.transfer(dataset.files[0].urls[0], tmp_path / NAME)
    assert part.read_bytes() == CONTENT
    fetch(dataset, tmp_path)
    assert ranges(server) == ([None] if size else [None, "bytes=10240-"])
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.pages["/a"] = Page()
    url = entry(server).files[0].urls[0]
    part = transfer.transfer(url, tmp_path / NAME)
    part.write_bytes(CONTENT * 2)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_tries_are_counted_only_while_nothing_new_comes(server, tmp_path):
    server.pages["/a"] = Page(cuts=[1000] * 9)  # ten attempts, each of which brings something
    fetch(entry(server), tmp_path, tries=2)
    assert len(server.asked) == 10
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_always_cuts_at_the_same_byte_is_given_up(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT] * 99, ranges=False)
    refusal(entry(server), tmp_path, error=ConnectionError, tries=3)
    assert len(server.asked) == 3


def test_a_passing_fault_of_the_server_is_waited_for(server, tmp_path):
    server.pages["/a"] = Page(statuses=[503, 429])
    fetch(entry(server), tmp_path, tries=3)
    assert (tmp_path / NAME).read_bytes() == CONTENT


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
    assert f"gives sha256 {sha256(OTHER)}, published is {sha256(CONTENT)}: removed" in told
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


def test_another_length_than_published_is_refused_before_it_comes(server, tmp_path):
    server.pages["/a"] = Page()
    told = refusal(entry(server, size=7), tmp_path, error=ValueError)
    assert "has 10240 bytes, published are 7" in told
    assert left(tmp_path) == []


def test_a_web_page_in_place_of_the_file_is_refused(server, tmp_path):
    server.pages["/a"] = Page(content=b"<html>", kind="text/html; charset=utf-8")
    told = refusal(entry(server, size=None), tmp_path, error=ValueError)
    assert "/a gives a web page instead of the file" in told
    assert left(tmp_path) == []


def test_a_server_that_is_not_there_is_refused(server, tmp_path):
    dataset = entry(server)
    server.shutdown()
    server.server_close()
    assert "refused" in refusal(dataset, tmp_path, error=ConnectionError)


def test_a_length_that_is_not_stated_is_no_hindrance(server, tmp_path):
    server.pages["/a"] = Page(stated=False)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_other_schemes_than_http_are_refused(tmp_path):
    with pytest.raises(ValueError, match="neither http nor https"):
        transfer.transfer(f"file://{tmp_path}/a", tmp_path / "b")


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


def test_each_retry_is_logged_with_its_reason(server, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="medseg")
    server.pages["/a"] = Page(cuts=[CUT])
    fetch(entry(server), tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.url}/a: 4000 of 10240 bytes came after 4000 bytes; trying again"
    ]
