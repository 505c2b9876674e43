"""Tests of `medseg inspect`: the table, the document for machines and the exit status."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ingest.dicom_writer import make_series, write_series
from PIL import Image
from typer.core import TyperGroup
from typer.testing import CliRunner

from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS

UID = "1.2.826.0.1.3680043.8.498.12345678901234567890"


def _inspect(*arguments):
    return CliRunner().invoke(app.app, ["inspect", *map(str, arguments)])


@pytest.fixture
def study(tmp_path):
    """A good series and, in a folder of its own, one with a gap."""
    write_series(tmp_path / "good", make_series(uid=UID))
    gapped = make_series(uid="1.2.2")
    del gapped[2]
    write_series(tmp_path / "bad", gapped)
    return tmp_path


def test_a_usable_study_ends_with_0(study):
    ended = _inspect(study / "good")
    assert ended.exit_code == app.DONE, ended.output
    for fact in ("…34567890", "CT", "4x6x5", "0.75 x 0.5 x 1.25", "LPS", "explicit LE", "accept"):
        assert fact in ended.output


def test_a_refused_series_ends_with_1_and_has_its_finding_and_remedy_in_one_line(study):
    ended = _inspect(study)
    assert ended.exit_code == app.SOME_FAILED
    (line,) = [line for line in ended.output.splitlines() if line.startswith("missing-slices:")]
    assert "from 1.25 to 2.5 mm" in line
    assert "slices are missing" in line


def test_json_is_one_document_with_whole_uids(study):
    ended = _inspect(study, "--json")
    document = json.loads(ended.stdout)
    assert ended.exit_code == app.SOME_FAILED
    assert document["schema"] == "medseg-inspect-1"
    assert {row["uid"]: row["verdict"] for row in document["series"]} == {
        UID: "accept",
        "1.2.2": "refuse",
    }


def test_resample_shows_what_resampling_makes_of_it(study):
    ended = _inspect(study / "bad", "--resample")
    assert ended.exit_code == app.DONE
    assert "resampled" in ended.output


@pytest.mark.realdata
def test_nothing_but_the_table_is_written_of_real_files_with_odd_values(data_root):
    """One of them has a Series Instance UID of hexadecimal digits, of which pydicom warns."""
    medseg = Path(sys.executable).with_name("medseg")
    study = data_root / "dicom" / "dicom_pydicom_misc"
    ended = subprocess.run([medseg, "inspect", study], capture_output=True, text=True, check=False)
    assert ended.returncode == app.SOME_FAILED
    assert "8e7d4d7b" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_patient_identifier_is_shown(study, options):
    assert "ecret" not in _inspect(study, *options).output


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_to_inspect_and_a_wrong_path_end_with_2(tmp_path, options):
    for path, words in ((tmp_path, "neither DICOM nor"), (tmp_path / "no", "no such file")):
        ended = _inspect(path, *options)
        assert ended.exit_code == BAD_ARGUMENTS
        assert words in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert bool(ended.stdout) == bool(options)  # a document, see below


def test_pictures_are_pointed_to_what_takes_them(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a.PNG", "below/b.jpg", ".hidden.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("what they are")
    for path, held in (
        (tmp_path, "holds 2 pictures and neither"),
        (tmp_path / "a.PNG", "is a picture"),
    ):
        ended = _inspect(path)
        assert ended.exit_code == BAD_ARGUMENTS
        assert ended.stderr.startswith(f"error: {path} {held}")
        assert "`medseg prepare NAME`" in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_archives_are_pointed_to_what_takes_them(tmp_path):
    (tmp_path / "stage1_train.ZIP").write_bytes(b"PK")
    for path, held in (
        (tmp_path, "holds 1 archive and neither"),
        (*tmp_path.iterdir(), "is an archive"),
    ):
        ended = _inspect(path)
        assert ended.exit_code == BAD_ARGUMENTS
        assert ended.stderr.startswith(f"error: {path} {held}")
        assert ended.stderr.endswith("`medseg prepare NAME` (see docs/how-to/read-a-refusal.md)\n")
        assert ended.stderr.count("\n") == 1


def test_the_picture_bundles_that_are_named_segment_pictures(tmp_path, repository):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    named = re.findall(r"bundles/\w+", _inspect(tmp_path).stderr)
    assert len(named) == 2
    for bundle in named:
        config = json.loads((repository / bundle / "configs" / "inference.json").read_text())
        assert "find_pictures" in config["cases"]


def test_a_long_table_is_not_cut(study):
    """Piped output has 80 columns, the table has more."""
    assert "…" not in _inspect(study / "bad").output
    assert " missing-slices " in _inspect(study).output


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
    ended = _inspect("--json", *words)
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
    ended = _inspect(tmp_path, "--json")
    assert ended.exit_code == 130
    assert json.loads(ended.stdout)["error"] == "interrupted: run it again"
    assert _inspect(tmp_path).stdout == ""


def test_a_fault_is_a_document_without_any_import_of_ingest():
    """An interrupt while pydicom is imported leaves modules that are half there."""
    code = "import sys; sys.modules['medseg.ingest'] = None\n"
    code += "from medseg.cli.inspect_document import *"
    print_it = "print(fault_document('interrupted', 'a'))"
    ended = subprocess.run([sys.executable, "-c", f"{code}; {print_it}"], capture_output=True)
    assert b"'error': 'interrupted'" in ended.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_name_is_shown_as_it_is_written(options, tmp_path):
    """rich makes a picture of ":skull:" where it is let."""
    slices = make_series()
    for dataset in slices:
        del dataset.SeriesInstanceUID
    write_series(tmp_path / "a:skull:b", slices)
    assert "a:skull:b" in _inspect(tmp_path, *options).output.replace("\n", "")


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (ZeroDivisionError, 1)])
def test_json_is_a_document_for_errors_that_nobody_foresaw(tmp_path, monkeypatch, error, status):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("medseg.ingest.inspect_files.inspect", fail)
    ended = _inspect("--json", tmp_path)
    assert ended.exit_code == status
    assert json.loads(ended.stdout)["error"]


def test_no_error_is_in_the_document_of_what_was_listed(study):
    assert "error" not in json.loads(_inspect(study, "--json").stdout)
