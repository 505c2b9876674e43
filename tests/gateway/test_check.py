"""Tests of medseg.gateway.check: what would keep a gateway from its work is found before."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("dicomweb_client")

from gateway.made_series import make_study

from medseg.gateway.check import check_gateway, check_ports
from medseg.gateway.settings import Disk, Health, Peer, Rule


def run(settings, load=lambda: "liver 0.1.0"):
    return {each.topic: each for each in check_gateway(settings, load)}


def test_all_is_well(settings):
    found = run(settings)
    assert all(each.ok for each in found.values())
    assert found["settings"].text == "images from the server; seg, sr to the server"
    assert found["server"].text.endswith("1 of its first 1 series match")
    assert found["bundle"].text == "liver 0.1.0, its weights are loaded"
    assert not settings.work_dir.exists()


@pytest.mark.parametrize("fault", [401, 500, "cut", "text"])
def test_a_server_that_cannot_be_used_is_a_finding(settings, pacs, fault):
    pacs.faults["search"] = fault
    found = run(settings)
    assert not found["server"].ok
    assert found["bundle"].ok
    assert "\n" not in found["server"].text


def test_a_bundle_that_cannot_be_loaded_is_a_finding(settings):
    def load():
        raise FileNotFoundError("there is no bundle liverr")

    assert (run(settings, load)["bundle"].ok, run(settings)["bundle"].ok) == (False, True)


def test_a_full_disk_and_a_taken_port_are_findings(settings, pacs):
    port = int(pacs.url.split(":")[2].split("/")[0])
    found = run(replace(settings, disk=Disk(min_free_gb=1e9), health=Health(port=port)))
    assert "disk.min_free_gb is 1e+09" in found["disk"].text
    assert not found["health"].ok
    assert f"port {port}" in found["health"].text


def test_a_peer_that_is_not_there_and_a_free_port_are_findings(sent_settings):
    peer = Peer("127.0.0.1", 1, "PACS", timeout_seconds=1)
    found = run(replace(sent_settings, peer=peer, server=None))
    assert (found["peer"].ok, found["listener"].ok) == (False, True)
    assert found["settings"].text == "images from the listener; seg, sr to the peer"


def test_a_missing_password_is_a_finding(settings, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    server = replace(settings.server, user="me", password_env="NO_SUCH")
    assert "NO_SUCH is not set" in run(replace(settings, server=server))["server"].text


def test_where_nothing_matches_the_server_says_what_it_has_and_names_nobody(settings, pacs):
    other = make_study()
    for each in other:
        each.SeriesInstanceUID = "1.2.3.4.5"
        each.Modality, each.BodyPartExamined = "MR", "BRAIN"
        each.SeriesDescription = "Doe Jane"
    pacs.add(other)
    found = run(replace(settings, rules=(Rule(modality=("PT",)),)))["server"]
    assert (found.ok, found.waits) == (True, True)
    assert "nothing matches the rules yet; its first 2 series: " in found.text
    assert "1 MR of BRAIN" in found.text
    assert "Doe" not in found.text
    pacs.images.clear()
    empty = run(settings)["server"]
    assert (empty.waits, "it has no series" in empty.text) == (True, True)


def test_a_free_port_passes_and_a_taken_one_is_refused(settings, pacs):
    check_ports(settings)
    port = int(pacs.url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match=f"port {port} .*: choose another, or stop the gateway"):
        check_ports(replace(settings, health=Health(port=port)))
