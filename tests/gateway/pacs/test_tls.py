"""Tests of medseg.gateway.pacs.tls: C-STORE both ways, encrypted and with certificates."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import replace

import pytest
from gateway.made_series import BUNDLE, make_study
from gateway.orthanc import find_free_port
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

pytest.importorskip("pynetdicom")

from pynetdicom import AE
from pynetdicom.sop_class import Verification

from medseg.gateway.failures import UnavailableError
from medseg.gateway.pacs.listener import ImageListener
from medseg.gateway.pacs.peer import PeerDestination
from medseg.gateway.pacs.tls import make_listener_context, make_peer_context
from medseg.gateway.settings import Listener, Peer
from medseg.gateway.work_folder import WorkFolder


@pytest.fixture
def listen(sent_settings, certificate):
    """Start a listener with a certificate; gives what it keeps images in, and its port."""
    running = []

    def start(**changes):
        stated = replace(sent_settings.listener, certificate=certificate, **changes)
        settings = replace(sent_settings, listener=stated)
        listener = ImageListener(
            settings, WorkFolder(settings.work_dir, settings.disk), bundle=BUNDLE
        )
        block = listener.listening()
        block.__enter__()
        running.append(block)
        return listener

    yield start
    for block in running:
        block.__exit__(None, None, None)


def send(listener, context):
    """The statuses of a study that is sent; none where the connection is refused."""
    entity = AE(ae_title="SCANNER")
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 5
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    stated = listener.settings.listener
    association = entity.associate(
        *("127.0.0.1", stated.port),
        ae_title=stated.ae_title,
        tls_args=None if context is None else (context, "127.0.0.1"),
    )
    if not association.is_established:
        return []
    statuses = [association.send_c_store(each).get("Status") for each in make_study()]
    association.release()
    return statuses


def trust(certificate, *, show=False):
    context = ssl.create_default_context(cafile=certificate)
    if show:
        context.load_cert_chain(certificate)
    return context


def test_images_come_encrypted_and_not_without(listen, certificate):
    listener = listen()
    assert send(listener, None) == []
    assert send(listener, trust(certificate)) == [0x0000] * len(make_study())
    sent = listener.work.sent(make_study()[0].SeriesInstanceUID)
    assert len(list(sent.glob("*.dcm"))) == len(make_study())


def test_a_sender_without_a_certificate_of_the_ca_is_not_let_in(listen, certificate):
    listener = listen(ca_file=certificate)
    assert send(listener, trust(certificate)) == []
    assert send(listener, trust(certificate, show=True)) == [0x0000] * len(make_study())


def test_a_connection_that_stays_silent_keeps_no_other_waiting(listen, certificate):
    listener = listen()
    with socket.create_connection(("127.0.0.1", listener.settings.listener.port)):
        begun = time.monotonic()
        assert send(listener, trust(certificate)) == [0x0000] * len(make_study())
        assert time.monotonic() - begun < 30


def test_results_go_encrypted_to_a_peer_that_is_trusted(certificate):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.load_verify_locations(certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    entity, port = AE(ae_title="PACS"), find_free_port()
    entity.add_supported_context(Verification)
    running = entity.start_server(("127.0.0.1", port), block=False, ssl_context=server)
    peer = Peer("127.0.0.1", port, "PACS", timeout_seconds=3, tls=True, ca_file=certificate)
    try:
        PeerDestination(replace(peer, client_certificate=certificate)).ask()
        with pytest.raises(UnavailableError, match="cannot be reached"):
            PeerDestination(peer).ask()
        with pytest.raises(UnavailableError, match=r"whether peer\.ca_file has signed"):
            PeerDestination(replace(peer, ca_file=None)).ask()
    finally:
        running.shutdown()


def test_without_certificates_nothing_is_encrypted():
    assert make_listener_context(Listener(1, ("A",))) is None
    assert make_peer_context(Peer("127.0.0.1", 1, "PACS")) is None


def test_a_file_that_is_none_or_not_there_is_one_line(tmp_path):
    text = tmp_path / "note.pem"
    text.write_text("hello")
    with pytest.raises(ValueError, match=r"listener: .*note\.pem cannot be used for TLS"):
        make_listener_context(Listener(1, ("A",), certificate=text))
    with pytest.raises(ValueError, match=r"peer: no such file: .*gone\.pem: correct the path"):
        make_peer_context(Peer("h", 1, "PACS", tls=True, ca_file=tmp_path / "gone.pem"))
