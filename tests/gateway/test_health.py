"""Tests of medseg.gateway.health: monitoring learns how it is, from this machine alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from gateway.orthanc import find_free_port

from medseg.gateway.health import Condition, format_metrics, serving_health
from medseg.gateway.state import State, open_state

WELL = Condition(bundle="liver 0.1.0", trouble="", looked_at=1000.0, disk_bytes=77)
ILL = Condition(bundle='li"ver', trouble="the disk is full", looked_at=0.0, disk_bytes=0)


@pytest.fixture
def file(tmp_path):
    """A state with a stored series and one that waits."""
    with open_state(tmp_path / "state.sqlite") as state:
        for uid in ("1.2", "1.3"):
            job = state.note(uid, "1", "liver 0.1.0", source="server", instances=3)
        state.change(job, State.STORED)
    return tmp_path / "state.sqlite"


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("condition", "status", "word"), [(WELL, 200, "ok"), (ILL, 503, "failing")]
)
def test_health_is_a_status_and_a_document(file, condition, status, word):
    port = find_free_port()
    with serving_health(port, file, lambda: condition):
        code, text = ask(port, "/health")
    found = json.loads(text)
    assert (code, found["status"], found["reason"]) == (status, word, condition.trouble or None)
    assert (found["series"]["stored"], found["series"]["found"]) == (1, 1)


def test_metrics_have_the_format_of_prometheus(file):
    port = find_free_port()
    with serving_health(port, file, lambda: WELL):
        code, text = ask(port, "/metrics")
        assert ask(port, "/")[0] == 404
    assert code == 200
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["medseg_gateway_up"] == "1"
    assert values['medseg_gateway_series{state="stored"}'] == "1"
    assert values['medseg_gateway_series{state="dead"}'] == "0"
    assert values["medseg_gateway_last_look_timestamp_seconds"] == "1000"
    assert values["medseg_gateway_disk_bytes"] == "77"
    assert float(values["medseg_gateway_oldest_waiting_seconds"]) >= 0
    names = {name.partition("{")[0] for name in values}
    assert all(f"# TYPE {name} gauge\n" in text for name in names)
    assert text.endswith("\n")


def test_labels_are_escaped_and_trouble_is_0(file):
    with open_state(file) as state:
        text = format_metrics(ILL, state, now=0)
    assert r'bundle="li\"ver"' in text
    assert "medseg_gateway_up 0\n" in text


def test_it_is_served_to_this_machine_alone_and_ends_with_its_block(file):
    port = find_free_port()
    with (
        serving_health(port, file, lambda: WELL),
        pytest.raises(
            OSError,
            match=f"nothing can listen on 127.0.0.1 port {port} .*: choose another health.port",
        ),
        serving_health(port, file, lambda: WELL),
    ):
        pass
    with pytest.raises(urllib.error.URLError):
        ask(port, "/health")


def test_without_a_port_nothing_is_served(file):
    with serving_health(None, file, lambda: WELL):
        pass
