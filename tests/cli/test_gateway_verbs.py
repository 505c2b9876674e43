"""Tests of medseg.cli.gateway_verbs: each verb says what it did, and ends with the right status."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from importlib import util

import pytest
from cli.commands import run_medseg

pytest.importorskip("dicomweb_client")

from gateway.fake_pacs import FakePacs, running
from gateway.made_series import FakeSegment, make_study

from medseg.bundles import segment_series
from medseg.cli import gateway_verbs


@pytest.fixture
def pacs():
    with running(FakePacs()) as found:
        found.add(make_study())
        yield found


@pytest.fixture
def segment(monkeypatch):
    """Stands for a bundle."""
    found = FakeSegment()
    monkeypatch.setattr(segment_series, "load_for_service", lambda *_, **__: found)
    return found


@pytest.fixture
def config(pacs, segment, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text(
        f"""
bundle = "thresholds"
work_dir = "work"
[server]
url = "{pacs.url}"
timeout_seconds = 1
[[rules]]
modality = "CT"
[watch]
poll_seconds = 0.1
stable_seconds = 0.1
[disk]
min_free_gb = 0
"""
    )
    return file


def test_run_once_stores_what_is_there(config, pacs):
    done = run_medseg("gateway", "run", "--config", config, "--once")
    assert (done.exit_code, done.stdout) == (0, "processed 1 series: 1 stored\n")
    assert len(pacs.stored) == 2
    again = run_medseg("gateway", "run", "--config", config, "--once")
    assert (again.exit_code, again.stdout) == (0, "processed 0 series\n")


def test_run_once_as_json_has_each_series(config):
    done = run_medseg("gateway", "run", "--config", config, "--once", "--json")
    (series,) = json.loads(done.stdout)["series"]
    assert (series["number"], series["state"], series["reason"]) == (1, "stored", None)


def test_run_once_ends_with_1_where_a_series_failed(config, pacs):
    pacs.faults["fetch"] = 500
    done = run_medseg("gateway", "run", "--config", config, "--once")
    assert (done.exit_code, done.stdout) == (1, "processed 1 series: 1 failed\n")


@pytest.mark.parametrize(
    ("fault", "message"), [(401, "refuses the credentials"), ("cut", "broke the connection off")]
)
def test_a_server_that_cannot_be_used_is_one_line(config, pacs, fault, message):
    pacs.faults["search"] = fault
    done = run_medseg("gateway", "run", "--config", config, "--once")
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_faulty_settings_are_one_line(tmp_path):
    (tmp_path / "gateway.toml").write_text("bundel = 1")
    done = run_medseg("gateway", "run", "--config", tmp_path / "gateway.toml", "--json")
    assert done.exit_code == 2
    assert "error" in json.loads(done.stdout)
    assert "there are no rules" in done.stderr


def test_missing_packages_are_named(config, monkeypatch):
    monkeypatch.setattr(gateway_verbs, "find_spec", lambda name: None)
    done = run_medseg("gateway", "run", "--config", config)
    assert (done.exit_code, "pip install 'medseg[gateway]'" in done.stderr) == (2, True)
    assert util.find_spec("dicomweb_client") is not None


def test_sigterm_ends_it_with_one_line(config, pacs):
    pacs.images.clear()
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = signal.getsignal(signal.SIGTERM)
    done = run_medseg("gateway", "run", "--config", config)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1].startswith("stopped: the series that was being done")
    assert done.stdout == "thresholds 0.1.0 waits for series; Ctrl-C stops it\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_status_shows_counts_and_what_is_not_stored(config, pacs):
    assert run_medseg("gateway", "status", "--config", config).exit_code == 2
    pacs.faults["fetch"] = 500
    run_medseg("gateway", "run", "--config", config, "--once")
    done = run_medseg("gateway", "status", "--config", config)
    counts, line = done.stdout.splitlines()
    assert "1 failed" in counts
    assert line.startswith("series 1 (1.2.826")
    assert "failed: the server failed (HTTP 500)" in line
    found = json.loads(run_medseg("gateway", "status", "--config", config, "--json").stdout)
    assert (found["counts"]["failed"], found["series"][0]["attempts"]) == (1, 1)


def test_status_shows_the_uid_of_what_is_stored_where_all_are_asked_for(config):
    run_medseg("gateway", "run", "--config", config, "--once")
    assert len(run_medseg("gateway", "status", "--config", config).stdout.splitlines()) == 1
    done = run_medseg("gateway", "status", "--config", config, "--all")
    assert done.stdout.splitlines()[1].startswith("series 1 (1.2.826")
    assert done.stdout.splitlines()[1].endswith("stored")


def test_retry_of_no_number_says_so_in_our_words(config):
    done = run_medseg("gateway", "retry", "abc", "--config", config)
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "'abc' is not the number of a series, such as 7: see medseg gateway status" in said


def test_run_says_that_a_port_is_taken_as_check_does_before_it_loads_the_bundle(
    config, monkeypatch
):
    def load(*_, **__):
        raise AssertionError("the bundle was loaded for nothing")

    monkeypatch.setattr(segment_series, "load_for_service", load)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config.write_text(config.read_text() + f"[health]\nport = {port}\n")
        done = run_medseg("gateway", "run", "--config", config)
        checked = run_medseg("gateway", "check", "--config", config)
    assert done.exit_code == 2
    said = done.stderr.splitlines()[-1].removeprefix("error: ")
    assert said.endswith("choose another, or stop the gateway that runs")
    assert f"bad health    {said}" in checked.stdout.splitlines()


def test_a_missing_bundle_speaks_of_the_key_of_the_settings(config, monkeypatch):
    def load(*_, **__):
        raise FileNotFoundError("no bundle 'x': name one of liver, or a folder, with -b")

    monkeypatch.setattr(segment_series, "load_for_service", load)
    done = run_medseg("gateway", "run", "--config", config, "--once")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith("by the key bundle of gateway.toml")


def test_check_marks_a_server_on_which_nothing_matches(config, segment, monkeypatch):
    monkeypatch.setattr(segment_series, "SegmentSeries", lambda *_, **__: segment)
    config.write_text(config.read_text().replace('"CT"', '"MR"'))
    done = run_medseg("gateway", "check", "--config", config)
    assert done.exit_code == 0
    (line,) = [
        line for line in done.stdout.splitlines() if "server  " in line and "images" not in line
    ]
    assert line.startswith("--  server")
    assert "nothing matches the rules yet; its first 1 series: 1 CT" in line


def test_retry_lets_what_failed_be_tried_again(config, pacs):
    pacs.faults["fetch"] = 500
    run_medseg("gateway", "run", "--config", config, "--once")
    pacs.faults.clear()
    assert run_medseg("gateway", "retry", "9", "--config", config).exit_code == 2
    done = run_medseg("gateway", "retry", "1", "--config", config)
    assert (done.exit_code, done.stdout) == (0, "tried again: series 1\n")
    done = run_medseg("gateway", "run", "--config", config, "--once")
    assert done.stdout == "processed 1 series: 1 stored\n"
    assert run_medseg("gateway", "retry", "--config", config).stdout == "tried again: nothing\n"
    asked = run_medseg("gateway", "retry", "--config", config, "--json")
    assert json.loads(asked.stdout) == {"series": []}


def test_check_has_a_line_for_each_topic(config, segment, monkeypatch, pacs):
    monkeypatch.setattr(segment_series, "SegmentSeries", lambda *_, **__: segment)
    done = run_medseg("gateway", "check", "--config", config)
    assert done.exit_code == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", topic] for topic in ("settings", "disk", "server", "bundle")
    ]
    pacs.faults["search"] = 401
    done = run_medseg("gateway", "check", "--config", config, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["ok"]) == (1, False)
    assert found["findings"][2]["topic"] == "server"
