"""Tests of medseg.gateway.pacs.peer: results go by C-STORE, and each fault is one line."""

from __future__ import annotations

import pytest
from gateway.made_series import BUNDLE, FakeSegment, encode, make_study
from gateway.orthanc import find_free_port

pytest.importorskip("pynetdicom")

from pydicom.uid import CTImageStorage, SegmentationStorage
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import Verification

from medseg.gateway.failures import AttemptError, HopelessError, UnavailableError
from medseg.gateway.pacs.peer import PeerDestination
from medseg.gateway.results import list_result_uids, rename
from medseg.gateway.settings import Peer

FIRST = make_study()[0]
UIDS = list_result_uids(FIRST.SeriesInstanceUID, BUNDLE, ["seg", "sr"])


@pytest.fixture
def start_pacs():
    """Start a PACS that answers each C-STORE with a status, and gives what came."""
    running = []

    def start(status=0x0000, *, title="PACS", takes=SegmentationStorage):
        came = []

        def take(event):
            came.append(str(event.dataset.SOPInstanceUID))
            return status

        entity = AE(ae_title=title)
        entity.require_called_aet = True
        entity.add_supported_context(takes, ALL_TRANSFER_SYNTAXES)
        entity.add_supported_context(Verification)
        port = find_free_port()
        handlers = [(evt.EVT_C_STORE, take)]
        running.append(entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers))
        return PeerDestination(Peer("127.0.0.1", port, "PACS", timeout_seconds=3)), came

    yield start
    for each in running:
        each.shutdown()


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "images").mkdir()
    for number, each in enumerate(make_study()):
        (tmp_path / "images" / f"{number}.dcm").write_bytes(encode(each))
    made = FakeSegment()(tmp_path / "images", tmp_path)
    rename(made, UIDS)
    return made


def test_results_are_sent(start_pacs, paths):
    peer, came = start_pacs()
    peer.ask()
    assert not peer.has_all(FIRST.StudyInstanceUID, UIDS)
    peer.deliver(FIRST.StudyInstanceUID, UIDS, paths)
    assert came == [UIDS["seg"].instance, UIDS["sr"].instance]


@pytest.mark.parametrize("status", [0x0111, 0xB000])
def test_one_that_is_there_already_or_taken_with_a_warning_is_taken(start_pacs, paths, status):
    peer, came = start_pacs(status)
    peer.deliver(FIRST.StudyInstanceUID, UIDS, paths)
    assert len(came) == 2


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (0xA700, UnavailableError, "has no room .0xA700.: make room there"),
        (0x0110, AttemptError, "did not take the seg .0x0110."),
        (0xA900, HopelessError, "did not take the seg .0xA900."),
        (0xC123, HopelessError, "did not take the seg .0xC123."),
    ],
)
def test_a_refusal_says_why(start_pacs, paths, status, kind, message):
    peer, _ = start_pacs(status)
    with pytest.raises(kind, match=f"the peer PACS {message}"):
        peer.deliver(FIRST.StudyInstanceUID, UIDS, paths)


def test_a_pacs_that_takes_no_such_objects_is_hopeless(start_pacs, paths):
    peer, _ = start_pacs(takes=CTImageStorage)
    with pytest.raises((HopelessError, UnavailableError)):
        peer.deliver(FIRST.StudyInstanceUID, UIDS, paths)


def test_one_of_another_title_refuses(start_pacs, paths):
    peer, _ = start_pacs(title="OTHER")
    for step in (peer.ask, lambda: peer.deliver(FIRST.StudyInstanceUID, UIDS, paths)):
        with pytest.raises(UnavailableError, match="refuses the connection: correct"):
            step()


def test_nobody_listens():
    peer = PeerDestination(Peer("127.0.0.1", 1, "PACS", timeout_seconds=1))
    with pytest.raises(UnavailableError, match="the peer PACS cannot be reached"):
        peer.ask()
