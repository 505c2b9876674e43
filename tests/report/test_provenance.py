"""Tests of medseg.report.provenance: what a command ran with can be read afterwards."""

import hashlib
import sys
from datetime import datetime

import medseg
from medseg.report.provenance import (
    describe_provenance,
    format_now,
    hash_file,
    measure_peak_memory,
)


def test_versions_command_and_device_are_told(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["medseg", "segment", "a folder"])
    found = describe_provenance("cpu")
    assert found["command"] == "medseg segment 'a folder'"
    assert found["versions"]["medseg"] == medseg.__version__
    assert found["versions"]["python"] == sys.version.split()[0]
    assert isinstance(found["device"], str)
    assert found["threads"] >= 1


def test_the_commit_is_that_of_the_checkout_or_none():
    commit = describe_provenance("cpu")["commit"]
    assert commit is None or len(commit.removesuffix("+")) == 40


def test_the_time_has_a_zone():
    assert datetime.fromisoformat(format_now()).tzinfo is not None


def test_the_digest_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 9000  # more than is read at once
    (tmp_path / "a").write_bytes(content)
    assert hash_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert hash_file(tmp_path / "absent") is None


def test_a_process_took_some_memory():
    assert measure_peak_memory()["process"] > 2**20
