"""Local server: an HTTP server that misbehaves on demand, for the tests of the download."""

import hashlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

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
