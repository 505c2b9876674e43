"""Tests of medseg.cli.data_verbs: phantom, download, prepare and inspect."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli.commands import run_medseg
from ingest.dicom_writer import make_series, write_series

from medseg.cli import app, data_verbs
from medseg.cli.usage import BAD_ARGUMENTS
from medseg.datasets.download import catalogue
from medseg.datasets.download import fetch as fetching
from medseg.datasets.prepare import Outcome

NOTICE = "Licence: CC BY-SA 4.0"


@pytest.fixture
def fetched(monkeypatch):
    """What would be fetched: (name of the dataset, folder, whether the licence is accepted)."""
    calls = []
    real = fetching.download

    def download(dataset, out, *, accept_licence):
        if dataset.is_by_hand or not accept_licence:
            return real(dataset, out, accept_licence=accept_licence)
        calls.append((dataset.name, str(out), accept_licence))
        return [out / file.name for file in dataset.files]

    monkeypatch.setattr(fetching, "download", download)
    return calls


@pytest.fixture
def terminal(monkeypatch):
    """Answers can be typed."""
    monkeypatch.setattr(data_verbs, "_is_on_terminal", lambda: True)


def _download(*arguments, typed=""):
    return run_medseg("download", *arguments, typed=typed)


def test_an_interrupted_preparation_is_gone_on_with_by_the_same_command(monkeypatch, tmp_path):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("medseg.datasets.prepare.prepare", stop)
    ended = run_medseg("prepare", "nuclei", "-s", str(tmp_path), "-o", str(tmp_path / "out"))
    assert ended.exit_code == 130
    assert ended.stderr == "\ninterrupted: finished files are kept, run it again to continue\n"


def test_phantom_refuses_what_it_cannot_write(tmp_path):
    ended = run_medseg("phantom", "xray", "--out", str(tmp_path / "data"))
    assert ended.exit_code == BAD_ARGUMENTS
    assert len(ended.stderr.splitlines()) == 1


def test_phantom_writes_a_set(tmp_path):
    words = ["--cases", "1", "--test-cases", "1", "--size", "48", "--slices", "8"]
    ended = run_medseg("phantom", "ct", "--out", str(tmp_path / "data"), *words)
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith("1 training and 1 test case in ")


def test_phantom_says_in_one_document_what_it_wrote(tmp_path):
    words = ("--cases", "2", "--slices", "8", "--size", "64", "--seed", "5", "--json")
    out = tmp_path / "data"
    ended = run_medseg("phantom", "ct", "--out", str(out), *words)
    assert json.loads(ended.stdout) == {
        "folder": str(out),
        "kind": "ct",
        "cases": 2,
        "test_cases": 1,
        "seed": 5,
    }
    again = run_medseg("phantom", "ct", "--out", str(out), *words)
    assert json.loads(again.stdout)["error"] in again.stderr


def test_a_usable_study_ends_with_0(study):
    ended = run_medseg("inspect", study / "good")
    assert ended.exit_code == app.DONE, ended.output
    for fact in ("…34567890", "CT", "4x6x5", "0.75 x 0.5 x 1.25", "LPS", "explicit LE", "accept"):
        assert fact in ended.output


def test_a_refused_series_ends_with_1_and_has_its_finding_and_remedy_in_one_line(study):
    ended = run_medseg("inspect", study)
    assert ended.exit_code == app.SOME_FAILED
    (line,) = [line for line in ended.output.splitlines() if line.startswith("missing-slices:")]
    assert "from 1.25 to 2.5 mm" in line
    assert "slices are missing" in line


def test_resample_shows_what_resampling_makes_of_it(study):
    ended = run_medseg("inspect", study / "bad", "--resample")
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
    assert "ecret" not in run_medseg("inspect", study, *options).output


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_to_inspect_and_a_wrong_path_end_with_2(tmp_path, options):
    for path, words in ((tmp_path, "neither DICOM nor"), (tmp_path / "no", "no such file")):
        ended = run_medseg("inspect", path, *options)
        assert ended.exit_code == BAD_ARGUMENTS
        assert words in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert bool(ended.stdout) == bool(options)  # a document, see below


def test_a_long_table_is_not_cut(study):
    """Piped output has 80 columns, the table has more."""
    assert "…" not in run_medseg("inspect", study / "bad").output
    assert " missing-slices " in run_medseg("inspect", study).output


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_name_is_shown_as_it_is_written(options, tmp_path):
    """rich makes a picture of ":skull:" where it is let."""
    slices = make_series()
    for dataset in slices:
        del dataset.SeriesInstanceUID
    write_series(tmp_path / "a:skull:b", slices)
    assert "a:skull:b" in run_medseg("inspect", tmp_path, *options).output.replace("\n", "")


def test_the_flag_says_yes_after_the_licence_is_shown(fetched, tmp_path):
    ended = _download("hippocampus", "--out", str(tmp_path), "--accept-licence")
    assert ended.exit_code == 0, ended.output
    assert fetched == [("hippocampus", str(tmp_path), True)]
    lines = ended.stdout.splitlines()
    assert lines[1] == NOTICE
    assert lines[-2] == f"{tmp_path / 'Task04_Hippocampus.tar'} (published SHA-256)"
    assert lines[-1].startswith("next: unpack it with tar -xf Task04_Hippocampus.tar")


def test_a_download_is_one_json_document_on_demand(fetched, tmp_path):
    ended = _download("hippocampus", "--out", str(tmp_path), "--accept-licence", "--json")
    found = json.loads(ended.stdout)
    file = {"path": str(tmp_path / "Task04_Hippocampus.tar"), "check": "published SHA-256"}
    assert (found["licence"], found["files"]) == ("CC BY-SA 4.0", [file])
    assert found["next"].startswith("unpack it with tar")
    assert NOTICE in ended.stderr
    refused = _download("hippocampus", "--out", str(tmp_path / "out"), "--json")
    assert "is not accepted" in json.loads(refused.stdout)["error"]


def test_without_the_flag_and_without_a_terminal_nothing_is_fetched(fetched, tmp_path):
    ended = _download("hippocampus", "--out", str(tmp_path / "out"))
    assert ended.exit_code == BAD_ARGUMENTS
    assert NOTICE in ended.stdout
    assert ended.stderr.startswith("error: the licence of hippocampus (CC BY-SA 4.0, http://med")
    assert "--accept-licence" in ended.stderr
    assert fetched == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("typed", "asked_for"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_the_user_is_asked(fetched, terminal, tmp_path, typed, asked_for):
    ended = _download("hippocampus", "--out", str(tmp_path / "out"), typed=typed)
    shown = ended.stdout
    assert shown.index(NOTICE) < shown.index("Do you accept these terms?")
    assert len(fetched) == asked_for
    assert (ended.exit_code == 0) == bool(asked_for)


@pytest.mark.parametrize(
    "name", [name for name, dataset in catalogue.CATALOGUE.items() if dataset.is_by_hand]
)
def test_a_dataset_to_be_fetched_by_hand_is_told_step_by_step(fetched, terminal, tmp_path, name):
    ended = _download(name, "--out", str(tmp_path / "out"), "--accept-licence")
    assert ended.exit_code == BAD_ARGUMENTS
    dataset = catalogue.find(name)
    assert f"Licence: {dataset.licence}" in ended.stdout
    assert "Do you accept" not in ended.stdout
    for number, step in enumerate(dataset.steps, start=1):
        assert f"({number}) {step}" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_dataset_is_refused_in_one_line(tmp_path):
    ended = _download("imagenet", "--out", str(tmp_path))
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith("error: dataset 'imagenet' is unknown: choose one of liver, ")
    assert ended.stderr.count("\n") == 1


def test_the_name_and_the_folder_are_needed():
    assert _download().exit_code == BAD_ARGUMENTS
    assert _download("hippocampus").exit_code == BAD_ARGUMENTS


@pytest.mark.parametrize("is_complete", [True, False])
def test_what_was_prepared_is_also_json(monkeypatch, tmp_path, is_complete):
    made = Outcome("2 cases\n1 left out", is_complete)
    monkeypatch.setattr("medseg.datasets.prepare.prepare", lambda *_, **__: made)
    ended = run_medseg("prepare", "nuclei", "-s", tmp_path, "-o", tmp_path / "out", "--json")
    assert ended.exit_code == (0 if is_complete else 1)
    assert json.loads(ended.stdout) == {
        "folder": str(tmp_path / "out"),
        "complete": is_complete,
        "text": "2 cases\n1 left out",
    }
