"""Tests of medseg.cli.gateway_verbs: each verb says what it did, and ends with the right status."""

from __future__ import annotations

import json
import os
import signal
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
    ("fault", "message"), [(401, "refuses the credentials"), ("cut", "cannot be reached")]
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
