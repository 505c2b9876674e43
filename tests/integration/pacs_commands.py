"""PACS commands: `medseg gateway` in processes of their own, in the network of a test's Orthanc."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from gateway.orthanc import PASSWORD, USER, Orthanc
from ingest.dicom_writer import as_mr, make_series
from integration import commands
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

VARIABLE = "MEDSEG_TEST_PACS_PASSWORD"
CODE = f"""
import ctypes, os, sys
with open("/proc/" + sys.argv.pop(1) + "/ns/net") as network:
    ctypes.CDLL(None).setns(network.fileno(), 0x40000000)
os.environ["{VARIABLE}"] = sys.argv.pop(1)
from medseg.cli import main
main()
"""

SETTINGS = """
bundle = "hippocampus"
work_dir = "work"
outputs = ["seg", "sr"]

{ways}

[[rules]]
modality = "MR"
description = "*hippocampus*"

[watch]
poll_seconds = 0.2
stable_seconds = 0.5

[retry]
first_seconds = 0.2
longest_seconds = 1

[disk]
min_free_gb = 0

[keys]
force = true
predictor = "eager"
"""

BY_DICOMWEB = """
[server]
url = "{url}"
user = "{user}"
password_env = "{variable}"
timeout_seconds = 2
"""

BY_DIMSE = """
[listener]
port = {port}
ae_title = "GATEWAY"
accept_from = ["SCANNER"]
stable_seconds = 3

[peer]
host = "127.0.0.1"
port = {peer}
ae_title = "ORTHANC"
own_ae_title = "GATEWAY"
timeout_seconds = 5
"""


def write_settings(folder: Path, orthanc: Orthanc, *, port: int | None = None) -> None:
    """Write a gateway.toml for a server into a folder; `port`: images are sent there, by DIMSE."""
    if port is None:
        ways = BY_DICOMWEB.format(url=orthanc.url, user=USER, variable=VARIABLE)
    else:
        ways = BY_DIMSE.format(port=port, peer=orthanc.dicom)
    (folder / "gateway.toml").write_text(SETTINGS.format(ways=ways))


def make_mr(number: int) -> list[Dataset]:
    """A small MR series of a study of its own, in which noise is segmented."""
    stored = np.random.default_rng(number).integers(0, 900, (6, 24, 20)).astype(np.uint16)
    images = as_mr(make_series(stored, uid=f"1.2.826.0.1.3680043.8.498.7.{number}.1"))
    for each in images:
        each.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.7.{number}"
        each.SeriesDescription = "T1 hippocampus"
    return images


def start(folder: Path, *words: str, password: str = PASSWORD) -> BaseProcess:
    """Start `medseg gateway ...`; it writes to the files stdout and stderr of the folder."""
    command = [sys.executable, "-c", CODE, str(os.getpid()), password, "gateway", *words]
    return commands.start(command, folder, out=folder)


def run(folder: Path, *words: str, password: str = PASSWORD, seconds: float = 120) -> int | None:
    """Run `medseg gateway ...` to its end; its exit status."""
    process = start(folder, *words, password=password)
    process.join(seconds)
    if process.is_alive():
        process.kill()
        raise TimeoutError((folder / "stderr").read_text()[-3000:])
    return process.exitcode


def list_lines(folder: Path) -> list[str]:
    """The lines that it logged about trouble, and that the trouble is over."""
    said = folder / "stderr"
    lines = said.read_text().splitlines() if said.exists() else []
    marks = (" WARNING: ", " ERROR: ", "all works again")
    return [line for line in lines if line.startswith("error") or any(m in line for m in marks)]


def send(images: Sequence[Dataset], port: int) -> bool:
    """Send images as a scanner does; whether each was acknowledged."""
    entity = AE(ae_title="SCANNER")
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 5
    entity.add_requested_context(images[0].SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="GATEWAY")
    if not association.is_established:
        return False
    try:
        return all(association.send_c_store(each).get("Status") == 0 for each in images)
    except (RuntimeError, ValueError):  # the gateway was killed meanwhile
        return False
    finally:
        association.release()


def wait_for(seconds: float, check: object, *arguments: object) -> bool:
    """Whether a check gets true within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check(*arguments):  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def count_results(orthanc: Orthanc, modalities: Sequence[str] = ("SEG", "SR")) -> dict[str, int]:
    """How many results the server has, by the series that they refer to and their kind."""
    found: dict[str, int] = {}
    for modality in modalities:
        for each in orthanc.read_instances(modality):
            key = f"{modality} of {each.StudyInstanceUID}"
            found[key] = found.get(key, 0) + 1
    return found
