"""Tests of medseg.gateway.pacs.server: a server is asked rightly, and each fault is one line."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from dataclasses import replace

import pytest
from gateway.fake_pacs import PASSWORD, USER, FakePacs, running
from gateway.made_series import FakeSegment, encode, make_study

from medseg.gateway.failures import AttemptError, HopelessError, UnavailableError
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.secrets import Secret
from medseg.gateway.settings import Server


@pytest.fixture
def server(settings):
    return DicomwebServer(settings.server, None)


def fetch_all(server):
    first = make_study()[0]
    return list(server.fetch(first.StudyInstanceUID, first.SeriesInstanceUID))


def search_all(server, *, modalities=("CT",), page=200):
    return list(server.list_series(modalities, since=None, page=page))


@pytest.fixture
def result(tmp_path):
    """Path of a result of the series."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, each in enumerate(make_study()):
        (folder / f"{number}.dcm").write_bytes(encode(each))
    return FakeSegment("seg")(folder, tmp_path)["seg"]


def test_series_and_their_images_are_listed(server, pacs):
    (found,) = search_all(server)
    (images,) = pacs.images.values()
    assert (found.series_uid, found.instances) == (images[0].SeriesInstanceUID, len(images))
    listed = server.list_instances(found.study_uid, found.series_uid)
    assert listed == {each.SOPInstanceUID for each in images}
    assert server.list_instances("1.2", "1.3") == set()


def test_images_come_byte_for_byte(server, pacs):
    (images,) = pacs.images.values()
    assert fetch_all(server) == [(each.SOPInstanceUID, encode(each)) for each in images]


@pytest.mark.parametrize("knows_offsets", [True, False])
def test_a_long_list_is_asked_for_page_by_page(server, pacs, knows_offsets):
    for number in range(2, 6):
        pacs.add(make_study(number))
    pacs.knows_offsets = knows_offsets
    found = [each.series_uid for each in search_all(server, page=2)]
    assert len(found) == len(set(found)) == (5 if knows_offsets else 2)
    assert len(pacs.asked) < 10


def test_a_series_that_is_listed_twice_comes_once_and_is_marked(server, pacs):
    assert [each.is_doubled for each in search_all(server)] == [False]
    pacs.lists_twice = True
    (found,) = search_all(server)
    assert (found.is_doubled, found.instances) == (True, 10)


def test_only_named_modalities_are_asked_for(server, pacs):
    assert search_all(server, modalities=["MR"]) == []
    assert len(search_all(server, modalities=None)) == 1
    list(server.list_series(["CT"], since="20260101", page=10))
    assert "StudyDate=20260101-" in pacs.asked[-1][1]


def test_what_is_stored_is_there(server, pacs, result):
    server.store([result])
    (stored,) = pacs.stored.values()
    assert server.list_instances(stored.StudyInstanceUID, stored.SeriesInstanceUID) == {
        stored.SOPInstanceUID
    }


FAULTS = [
    (401, UnavailableError, "refuses the credentials .HTTP 401."),
    (403, UnavailableError, "refuses the credentials .HTTP 403."),
    (503, UnavailableError, "has no time .HTTP 503."),
    (500, AttemptError, "failed .HTTP 500."),
    ("hang", AttemptError, "did not answer within 0.5 s"),
    ("cut", UnavailableError, "broke the connection off: see whether it runs"),
    ("redirect", UnavailableError, "to another address"),
    ("text", AttemptError, "is not what DICOMweb says"),
]
AT = r"the server at 127\.0\.0\.1:\d+"
OF_A_SEARCH = {
    "hang": (AttemptError, rf"{AT} did not answer within 0.5 s .*port that is not of DICOMweb"),
    "cut": (UnavailableError, rf"{AT} broke .*DICOMweb port and not its DICOM port"),
    "text": (AttemptError, "no DICOMweb at server.url, .*: correct it"),
}
"""What a search says of the address, since it may be a wrong one."""


@pytest.mark.parametrize(("fault", "kind", "message"), FAULTS)
def test_a_fault_of_a_search_is_one_line(server, pacs, fault, kind, message):
    pacs.faults["search"] = fault
    kind, message = OF_A_SEARCH.get(fault, (kind, message))
    with pytest.raises(kind, match=message) as failed:
        search_all(server)
    check_line(failed, has_address=fault in OF_A_SEARCH)
    with pytest.raises(kind, match=message):
        server.ask()


@pytest.mark.parametrize("status", [404, 405])
def test_an_address_without_dicomweb_is_to_be_corrected(server, pacs, status):
    pacs.faults["search"] = status
    said = rf"no DICOMweb at server.url \(HTTP {status}\): correct it"
    with pytest.raises(UnavailableError, match=said):
        server.ask()


def test_a_server_that_does_not_understand_a_search_may_be_at_another_path(server, pacs):
    pacs.faults["search"] = 400
    with pytest.raises(AttemptError, match=r"HTTP 400.: correct server\.url if its DICOMweb is at"):
        server.ask()


def test_a_port_that_speaks_no_http_is_named_as_maybe_no_dicomweb_port(settings):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def abort():
            connection, _ = other.accept()
            connection.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00")  # A-ABORT
            connection.close()

        threading.Thread(target=abort, daemon=True).start()
        stated = replace(settings.server, url=f"http://127.0.0.1:{port}/dicom-web")
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port} broke .*not its DICOM port"):
            DicomwebServer(stated, None).ask()


@pytest.mark.parametrize(("fault", "kind", "message"), FAULTS)
def test_a_fault_of_a_fetch_is_one_line(server, pacs, fault, kind, message):
    pacs.faults["fetch"] = fault
    with pytest.raises(kind, match=message) as failed:
        fetch_all(server)
    check_line(failed)


@pytest.mark.parametrize(("fault", "kind", "message"), FAULTS[:-1])
def test_a_fault_of_storing_is_one_line(server, pacs, result, fault, kind, message):
    pacs.faults["store"] = fault
    with pytest.raises(kind, match=message) as failed:
        server.store([result])
    check_line(failed)


def check_line(failed, *, has_address=False):
    text = str(failed.value)
    assert "\n" not in text
    assert has_address or "127.0.0.1" not in text
    assert "1.2.3.4" not in text
    assert "secret" not in text


def test_a_series_that_breaks_off_in_the_midst_is_noticed(server, pacs):
    pacs.faults["half"] = True
    with pytest.raises(UnavailableError, match="broke the connection off"):
        fetch_all(server)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(0xA700, UnavailableError), (0x0110, AttemptError), (0xA900, HopelessError)],
)
def test_a_refused_result_says_why(server, pacs, result, reason, kind):
    pacs.faults["store"] = ("refuse", reason)
    with pytest.raises(kind, match=f"0x{reason:04X}"):
        server.store([result])


def test_an_object_that_is_there_already_is_no_fault(server, pacs, result):
    pacs.faults["store"] = ("refuse", 0x0111)
    server.store([result])


def test_nobody_listens(settings):
    closed = replace(settings.server, url="http://127.0.0.1:1/dicom-web")
    with pytest.raises(UnavailableError, match=r"at 127\.0\.0\.1:1 cannot be reached"):
        DicomwebServer(closed, None).ask()


def test_user_and_password_are_sent_and_a_wrong_one_is_said(settings, pacs):
    pacs.require_password()
    stated = replace(settings.server, user=USER, password_env="UNUSED")
    DicomwebServer(stated, Secret(PASSWORD)).ask()
    with pytest.raises(UnavailableError, match="refuses the credentials") as failed:
        DicomwebServer(stated, Secret("hunter2")).ask()
    assert "hunter2" not in str(failed.value)


def test_a_token_is_sent(settings, pacs):
    pacs.credentials = "Bearer abc"
    stated = replace(settings.server, token_env="UNUSED")
    DicomwebServer(stated, Secret("abc")).ask()


def test_passwords_and_proxies_of_the_environment_do_not_count(
    settings, pacs, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    pacs.require_password()
    with pytest.raises(UnavailableError, match="refuses the credentials"):
        DicomwebServer(settings.server, None).ask()


def test_nothing_that_leads_to_a_patient_is_logged(server, pacs, result, caplog):
    caplog.set_level(logging.DEBUG)
    search_all(server)
    fetch_all(server)
    server.store([result])
    assert "1.2.826" not in caplog.text
    assert "dicom-web" not in caplog.text


def test_a_missing_file_of_certificates_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file of certificates: .*ca\.pem"):
        DicomwebServer(Server("https://pacs", ca_file=tmp_path / "ca.pem"), None)


def test_a_certificate_is_checked_against_the_ca_that_is_named(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with running(FakePacs(), tls=tls) as pacs:
        DicomwebServer(Server(pacs.url, ca_file=certificate), None).ask()
        with pytest.raises(UnavailableError, match="certificate is not trusted"):
            DicomwebServer(Server(pacs.url), None).ask()


def test_a_server_that_asks_for_a_certificate_gets_ours(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.load_verify_locations(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    with running(FakePacs(), tls=tls) as pacs:
        stated = Server(pacs.url, ca_file=certificate, client_certificate=certificate)
        DicomwebServer(stated, None).ask()
        with pytest.raises(UnavailableError):
            DicomwebServer(replace(stated, client_certificate=None), None).ask()
