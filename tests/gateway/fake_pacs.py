"""Fake PACS: as much of DICOMweb as the gateway uses, in this process, with faults at will."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from gateway.made_series import encode
from pydicom import Dataset, dcmread

USER, PASSWORD = "medseg", "a-secret-of-the-tests"
_BOUNDARY = b"part-of-a-series"


class FakePacs:
    """A PACS with series and what was stored.

    Attributes:
        images: series UID -> images.
        stored: SOP Instance UID -> object, in the order of their coming.
        faults: "search", "fetch" or "store" -> an HTTP status, "hang", "cut" (the connection is
            broken off), "text" (no DICOM at all), "redirect", or for "store" ("refuse", reason).
        credentials: the header that every request must have; None for none.
        asked: each request as (method, path).
        hides_numbers: it does not say how many images a series has.
        knows_offsets: it can give a part of a list.
    """

    def __init__(self) -> None:
        self.images: dict[str, list[Dataset]] = {}
        self.stored: dict[str, Dataset] = {}
        self.faults: dict[str, object] = {}
        self.credentials: str | None = None
        self.asked: list[tuple[str, str]] = []
        self.hides_numbers = False
        self.lists_twice = False
        self.knows_offsets = True
        self.url = ""

    def add(self, images: list[Dataset]) -> None:
        """Take a series as from a scanner."""
        self.images[images[0].SeriesInstanceUID] = list(images)

    def require_password(self) -> None:
        """From now on, ask for user and password."""
        word = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.credentials = f"Basic {word}"

    def all_series(self) -> dict[str, list[Dataset]]:
        """The images, and what was stored."""
        found = {uid: list(images) for uid, images in self.images.items()}
        for each in self.stored.values():
            found.setdefault(each.SeriesInstanceUID, []).append(each)
        return found


@contextmanager
def running(pacs: FakePacs, *, tls: ssl.SSLContext | None = None) -> Iterator[FakePacs]:
    """Let it answer on a port of this machine while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"pacs": pacs}))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    pacs.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/dicom-web"
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    pacs: FakePacs
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        words = place.path.removeprefix("/dicom-web/").split("/")
        is_search = words[-1] in ("series", "instances")
        if self._is_refused("search" if is_search else "fetch"):
            return
        asked = {key: values[0] for key, values in parse_qs(place.query).items()}
        if not is_search:
            self._send_images(self.pacs.images.get(words[-1], []))
        elif words[-1] == "series":
            self._send_part(self._list_series(asked), asked)
        else:
            found = self.pacs.all_series().get(words[-2], [])
            uids = [each.SOPInstanceUID for each in found]
            self._send_part([{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids], asked)

    def do_POST(self) -> None:
        body = self._read_body()
        if self._is_refused("store"):
            return
        fault = self.pacs.faults.get("store")
        boundary = self.headers["Content-Type"].rpartition("boundary=")[2].strip('"').encode()
        parts = [part.partition(b"\r\n\r\n")[2] for part in body.split(b"--" + boundary)]
        objects = [dcmread(BytesIO(part)) for part in parts if part.strip()]
        if isinstance(fault, tuple):
            failed = [{"00081197": {"vr": "US", "Value": [fault[1]]}} for _ in objects]
            self._send(409, json.dumps({"00081198": {"vr": "SQ", "Value": failed}}).encode())
            return
        for each in objects:
            self.pacs.stored.setdefault(each.SOPInstanceUID, each)
        self._send(200, b'{"00081198": {"vr": "SQ"}}')

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _is_refused(self, kind: str) -> bool:
        self.pacs.asked.append((self.command, self.path))
        fault = self.pacs.faults.get(kind)
        if self.pacs.credentials not in (None, self.headers.get("Authorization")):
            fault = 401
        if fault is None or isinstance(fault, tuple):
            return False
        if fault == "hang":
            time.sleep(5)
        elif fault == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault == "text":
            self._send(200, b"<html>welcome</html>", kind="text/html")
        elif isinstance(fault, int):
            self._send(fault, b"no: 1.2.3.4.5.6 secret-id")
        if fault in ("hang", "cut"):
            self.close_connection = True
        return True

    def _list_series(self, asked: dict[str, str]) -> list[dict[str, object]]:
        listed = []
        for images in self.pacs.all_series().values():
            first = images[0]
            if asked.get("Modality") not in (None, first.Modality):
                continue
            entry = {
                tag: {"vr": "LO", "Value": [str(first.get(word))]}
                for tag, word in (
                    *(("00080060", "Modality"), ("0008103E", "SeriesDescription")),
                    *(("0020000D", "StudyInstanceUID"), ("0020000E", "SeriesInstanceUID")),
                    *(("00080080", "InstitutionName"), ("00180015", "BodyPartExamined")),
                )
                if word in first
            }
            if not self.pacs.hides_numbers:
                entry["00201209"] = {"vr": "IS", "Value": [len(images)]}
            listed += [entry] * (2 if self.pacs.lists_twice else 1)
        return listed

    def _send_part(self, entries: list[dict[str, object]], asked: dict[str, str]) -> None:
        start = int(asked.get("offset", 0)) if self.pacs.knows_offsets else 0
        end = start + int(asked["limit"]) if "limit" in asked else None
        self._send(200, json.dumps(entries[start:end]).encode())

    def _send_images(self, images: list[Dataset]) -> None:
        if not images:
            self._send(404, b"")
            return
        body = b""
        for each in images:
            body += b"\r\n--" + _BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
            body += encode(each)
        body += b"\r\n--" + _BOUNDARY + b"--"
        kind = f'multipart/related; type="application/dicom"; boundary="{_BOUNDARY.decode()}"'
        if self.pacs.faults.get("half") is not None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self._send(200, body, kind=kind)

    def _send(self, status: int, body: bytes, *, kind: str = "application/dicom+json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
