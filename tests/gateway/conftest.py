"""Fixtures of the gateway's tests."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

pytest.importorskip("dicomweb_client")

from gateway.fake_pacs import FakePacs, running
from gateway.made_series import FakeSegment, make_study
from gateway.orthanc import find_free_port

from medseg.gateway.pacs.destination import ServerDestination
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.process import Processor
from medseg.gateway.settings import Disk, Listener, Retry, Rule, Server, Settings, Watch
from medseg.gateway.state import FROM_SERVER, open_state
from medseg.gateway.work_folder import WorkFolder


@pytest.fixture
def pacs():
    """A PACS that answers, with one series."""
    with running(FakePacs()) as found:
        found.add(make_study())
        yield found


@pytest.fixture
def settings(pacs, tmp_path):
    """Settings for it, of a gateway in a hurry."""
    return Settings(
        bundle="thresholds",
        work_dir=tmp_path / "work",
        rules=(Rule(modality=("CT",)),),
        server=Server(pacs.url, timeout_seconds=0.5),
        watch=Watch(poll_seconds=0.01, stable_seconds=0.01),
        retry=Retry(first_seconds=0.01, longest_seconds=0.02, max_attempts=3),
        disk=Disk(min_free_gb=0),
    )


@pytest.fixture
def make_processor(settings):
    """Make a processor, with other settings if these are given; what it opens is closed."""
    opened = []

    def make(**changes):
        stated = replace(settings, **changes)
        server = DicomwebServer(stated.server, None)
        work = WorkFolder(stated.work_dir, stated.disk)
        state = open_state(work.state_file)
        opened.append(state)
        return Processor(
            stated,
            state=state.thing,
            work=work,
            segment=FakeSegment(),
            server=server,
            destination=ServerDestination(server),
        )

    yield make
    for each in opened:
        each.thing.close()


@pytest.fixture
def processor(make_processor):
    """A processor for the series of the PACS."""
    return make_processor()


@pytest.fixture
def sent_settings(settings):
    """Settings of a gateway that images are sent to."""
    listener = Listener(port=find_free_port(), accept_from=("SCANNER",), stable_seconds=0.01)
    return replace(settings, listener=replace(listener, timeout_seconds=5))


@pytest.fixture
def job(processor):
    """The series of the PACS, as it was found."""
    first = make_study()[0]
    uids = (first.SeriesInstanceUID, first.StudyInstanceUID, processor.segment.made_by)
    return processor.state.note(*uids, source=FROM_SERVER, instances=len(make_study()))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for this machine that signs itself, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "all.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + key.read_text())
    return file
