"""Tests of medseg.cli.documents.run_document: what a workflow made, for a program."""

import json
import logging

import pytest
from cli.commands import run_medseg
from monai.bundle import scripts

from medseg.cli.documents.run_document import ReportedCases, make_run_document
from medseg.inference import CasesFailedError
from medseg.inference.cases.report import DONE, FAILED, PLANNED, report_case


@pytest.fixture
def writing(monkeypatch, here, calls):
    """MONAI's run, which writes some text to a file of the output folder and to its log."""
    from pathlib import Path

    def write(file, text):
        def run(**arguments):
            folder = Path(arguments["output_dir"])
            folder.mkdir(exist_ok=True, parents=True)
            (folder / file).write_text(text)
            print("a line of progress")

        monkeypatch.setattr(scripts, "run", run)

    return write


def test_an_evaluation_prints_its_summary_and_nothing_else(writing, tmp_path):
    writing("metrics_summary.json", '{"classes": {"liver": {}}}')
    ended = run_medseg("evaluate", "--json", f"--output_dir={tmp_path / 'scores'}")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout) == {
        "folder": str(tmp_path / "scores"),
        "scores": {"classes": {"liver": {}}},
    }
    assert "a line of progress" in ended.stderr


def test_a_training_prints_its_record(writing, tmp_path):
    writing("run.json", '{"epochs": 2}')
    ended = run_medseg("train", "--output_dir", tmp_path / "first", "--json")
    assert json.loads(ended.stdout) == {"folder": str(tmp_path / "first"), "run": {"epochs": 2}}


def test_segmenting_says_what_was_found_in_each_case_and_all_warnings(here, calls, monkeypatch):
    def run(**arguments):
        logging.getLogger("medseg.ingest").warning("2 slices are missing")
        report_case(DONE, "a", mask="a.nii.gz", volumes_ml={"liver": 1.5}, seconds=2.0)

    monkeypatch.setattr(scripts, "run", run)
    document = json.loads(
        run_medseg("segment", "docs/preview_hippocampus.png", "-o", "masks", "--json").stdout
    )
    case = {"case": "a", "mask": "a.nii.gz", "volumes_ml": {"liver": 1.5}, "seconds": 2.0}
    assert document["cases"] == [case]
    assert document["warnings"] == ["2 slices are missing"]


def test_where_a_case_fails_the_others_are_in_the_document_too(here, calls, monkeypatch):
    def run(**arguments):
        for case in "ab":
            report_case(DONE, case, mask=f"{case}.nii.gz")
        report_case(FAILED, "b", reason="its outputs are gone")
        raise CasesFailedError({"b": "its outputs are gone"}, 2)

    monkeypatch.setattr(scripts, "run", run)
    document = json.loads(
        run_medseg("segment", "docs/preview_hippocampus.png", "-o", "masks", "--json").stdout
    )
    assert "1 of 2 cases failed (b)" in document["error"]
    assert document["cases"] == [{"case": "a", "mask": "a.nii.gz"}]
    assert document["failed"] == [{"case": "b", "reason": "its outputs are gone"}]


def test_segmenting_names_the_files_that_it_wrote(writing, tmp_path):
    (tmp_path / "of_yesterday.nii.gz").touch()
    writing("a.nii.gz", "")
    ended = run_medseg("segment", "docs/preview_hippocampus.png", "-o", tmp_path, "--json")
    document = json.loads(ended.stdout)
    assert (document["folder"], document["files"]) == (str(tmp_path), ["a.nii.gz"])


@pytest.mark.parametrize(
    "words",
    [
        ("segment", "missing.nii.gz", "-o", "masks"),
        ("train", "--max_epoch", "3"),
        ("evaluate", "-b", "nowhere"),
        ("prune", "-b", "nowhere"),
        ("segment", "docs/preview_hippocampus.png"),
        ("export", "liver.exe", "-b", "nowhere"),
        ("bundles", "copy", "nowhere", "mine"),
        ("bundles", "publish", "nowhere", "bundles/liver"),
    ],
)
def test_a_fault_is_a_document_too(here, words):
    ended = run_medseg(*words, "--json")
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["error"] in ended.stderr


def test_a_bundle_that_has_no_folder_of_outputs_names_none():
    assert make_run_document("train", None, {}, ReportedCases()) == {"folder": None}


def test_a_plan_prints_its_cases_and_those_that_have_none(here, calls, monkeypatch):
    def run(**arguments):
        report_case(PLANNED, "a", plan={"windows": 1})
        for case in "bc":
            report_case(FAILED, case, reason="no CT")
        raise CasesFailedError({"b": "no CT", "c": "no CT"}, 3)

    monkeypatch.setattr(scripts, "run", run)
    ended = run_medseg("segment", "docs/preview_hippocampus.png", "-o", "masks", "--plan", "--json")
    assert ended.exit_code == 1
    document = json.loads(ended.stdout)
    assert "2 of 3 cases failed (b, c)" in document["error"]
    assert document["cases"] == [{"case": "a", "plan": {"windows": 1}}]
    assert document["failed"] == [{"case": name, "reason": "no CT"} for name in "bc"]


def test_nothing_is_gathered_any_more_when_the_verb_is_done():
    with ReportedCases() as reported:
        pass
    report_case(FAILED, "a", reason="late")
    logging.getLogger("medseg").warning("late")
    assert reported.make_document() == {"cases": [], "failed": []}
    assert not reported.warnings
