"""Tests of medseg.cli.documents.inspect_document: one document, whatever goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli.commands import LONG_UID, run_medseg
from typer.core import TyperGroup

from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS


def test_json_is_one_document_with_whole_uids(study):
    ended = run_medseg("inspect", study, "--json")
    document = json.loads(ended.stdout)
    assert ended.exit_code == app.SOME_FAILED
    assert document["schema"] == "medseg-inspect-1"
    assert {row["uid"]: row["verdict"] for row in document["series"]} == {
        LONG_UID: "accept",
        "1.2.2": "refuse",
    }


@pytest.mark.parametrize(
    "words",
    [
        *(["no-such-path"], ["empty"], ["a.txt"], ["link"], [], ["--jsn", "empty"]),
        *(["x" * 300], ["x" * 300 + ".nii"], ["--json=yes", "empty"], ["empty", "--units", "ell"]),
    ],
)
def test_json_is_a_document_whatever_is_wrong(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("text")
    Path("link").symlink_to("link")
    Path("empty").mkdir()
    ended = run_medseg("inspect", "--json", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    document = json.loads(ended.stdout)
    assert document["error"] in ended.stderr
    assert (document["schema"], document["usable"]) == ("medseg-inspect-1", False)
    assert document["series"] == []


@pytest.mark.parametrize("place", ["make_context", "invoke"])
def test_an_interrupt_before_the_verb_begins_is_a_document_too(place, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, place, fail)
    ended = run_medseg("inspect", tmp_path, "--json")
    assert ended.exit_code == 130
    assert json.loads(ended.stdout)["error"] == "interrupted: run it again"
    assert run_medseg("inspect", tmp_path).stdout == ""


def test_a_fault_is_a_document_without_any_import_of_ingest():
    """An interrupt while pydicom is imported leaves modules that are half there."""
    code = "import sys; sys.modules['medseg.ingest'] = None\n"
    code += "from medseg.cli.documents.inspect_document import *"
    print_it = "print(make_fault_document('interrupted', 'a'))"
    ended = subprocess.run([sys.executable, "-c", f"{code}; {print_it}"], capture_output=True)
    assert b"'error': 'interrupted'" in ended.stdout


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (ZeroDivisionError, 1)])
def test_json_is_a_document_for_errors_that_nobody_foresaw(tmp_path, monkeypatch, error, status):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("medseg.ingest.inspect_files.inspect", fail)
    ended = run_medseg("inspect", "--json", tmp_path)
    assert ended.exit_code == status
    assert json.loads(ended.stdout)["error"]


def test_no_error_is_in_the_document_of_what_was_listed(study):
    assert "error" not in json.loads(run_medseg("inspect", study, "--json").stdout)
