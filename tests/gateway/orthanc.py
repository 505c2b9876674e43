"""Orthanc: a real PACS for tests, in a network of its own where the system allows that.

Orthanc has no bind address: it listens on every interface. So this process leaves the network of
the machine while the server runs, and has only a loopback; where it may not, Orthanc refuses all
that comes from another machine.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from pydicom import Dataset, dcmread

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "medseg", "a-secret-of-the-tests"
_CLONE_NEWNET = 0x40000000
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
_SECONDS = 30


@contextmanager
def own_network() -> Iterator[bool]:
    """Within the block, this thread and what it starts have a network with only a loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        if libc.unshare(_CLONE_NEWNET) != 0:
            yield False
            return
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP_AND_RUNNING))
            yield True
        finally:
            libc.setns(before.fileno(), _CLONE_NEWNET)


def find_free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Orthanc:
    """A PACS with the plugin for DICOMweb, its data in a folder, which outlives `stop`.

    Args:
        folder: of its data and its log.
        settings: of Orthanc, beside or in place of those of the tests.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.http, self.dicom = find_free_port(), find_free_port()
        folder.mkdir(parents=True, exist_ok=True)
        stated = {
            "Name": "tests",
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "StorageDirectory": str(folder / "data"),
            "IndexDirectory": str(folder / "data"),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **settings,
        }
        self.config = folder / "orthanc.json"
        self.config.write_text(json.dumps(stated))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of the DICOMweb services."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([PROGRAM, str(self.config)], stdout=log, stderr=log)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            try:
                if self.get("system").ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise TimeoutError((self.folder / "log").read_text(errors="replace")[-2000:])

    def stop(self, *, kill: bool = False) -> None:
        """End it: as its administrator does, or as a power cut."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(_SECONDS)
            self.process = None

    def get(self, path: str) -> requests.Response:
        """An answer of its own interface."""
        place = f"http://127.0.0.1:{self.http}/{path}"
        return requests.get(place, auth=(USER, PASSWORD), timeout=_SECONDS)

    def upload(self, paths: Sequence[Path]) -> None:
        """Give it images, as a scanner would."""
        for path in paths:
            answer = requests.post(
                f"http://127.0.0.1:{self.http}/instances",
                data=path.read_bytes(),
                auth=(USER, PASSWORD),
                timeout=_SECONDS,
            )
            answer.raise_for_status()

    def list_series(self, modality: str) -> list[dict[str, object]]:
        """The series of a modality, as Orthanc describes them, with their `Instances`."""
        found = (self.get(f"series/{name}").json() for name in self.get("series").json())
        return [each for each in found if each["MainDicomTags"].get("Modality") == modality]

    def read_instances(self, modality: str) -> list[Dataset]:
        """The objects of a modality, without their pixels."""
        from io import BytesIO

        names = [name for each in self.list_series(modality) for name in each["Instances"]]
        files = (self.get(f"instances/{name}/file").content for name in names)
        return [dcmread(BytesIO(file), stop_before_pixels=True) for file in files]


def skip_without_orthanc() -> None:
    """Skip where Orthanc or its plugin is not installed."""
    if PROGRAM is None or not PLUGIN.is_file():
        pytest.skip("no Orthanc here: install orthanc and orthanc-dicomweb")
