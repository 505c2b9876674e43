"""Tests of medseg.cli.errors: the exit status, and one line for each documented error."""

import logging
from types import SimpleNamespace

import pytest
import typer
from cli.commands import run_medseg
from monai.bundle import scripts
from monai.data import Dataset

from medseg.base.interrupts import get_remedy, set_remedy
from medseg.base.walk import check_length
from medseg.cli import app
from medseg.cli.errors import one_line_errors
from medseg.cli.usage import BAD_ARGUMENTS


def test_an_undocumented_error_keeps_its_traceback(here, monkeypatch):
    def fail(**arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(scripts, "run", fail)
    assert isinstance(run_medseg("train").exception, ZeroDivisionError)


def test_a_run_that_exits_keeps_its_status(here, monkeypatch):
    def leave(**arguments):
        raise SystemExit(1)

    monkeypatch.setattr(scripts, "run", leave)
    assert run_medseg("train").exit_code == 1


def test_failed_cases_are_another_status_than_bad_arguments(here, monkeypatch):
    from medseg.inference import CasesFailedError, run_cases

    assert CasesFailedError.exit_status == app.SOME_FAILED != BAD_ARGUMENTS
    evaluator = SimpleNamespace(logger=logging.getLogger("evaluator"))
    dataset = Dataset([{"case": "ct_1"}], lambda case: case["image"])  # its only case has none
    monkeypatch.setattr(scripts, "run", lambda **arguments: run_cases(evaluator, dataset))
    ended = run_medseg("segment", "docs", "-o", "masks", "--weights", "any.pt")
    assert ended.exit_code == app.SOME_FAILED
    assert ended.stderr.splitlines()[-1] == "error: case ct_1 failed: KeyError: 'image'"
    assert ended.stderr.count("ct_1") == 1


def test_what_is_interrupted_is_said_below_the_line_of_a_progress_bar(capsys):
    with pytest.raises(typer.Exit) as ended, one_line_errors("go on with b"):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert capsys.readouterr() == ("", "\ninterrupted: go on with b\n")


def test_a_workflow_that_knows_better_says_how_to_go_on(capsys):
    def train(remedy):
        set_remedy(remedy)
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit), one_line_errors("go on with b"):
        train(lambda: "go on with c")
    with pytest.raises(typer.Exit), one_line_errors("go on with b"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "\ninterrupted: go on with c\n\ninterrupted: go on with b\n"


def test_a_documented_error_is_one_line_and_another_status(capsys):
    with pytest.raises(typer.Exit) as ended, one_line_errors():
        check_length("a\n" * 3000)
    assert ended.value.exit_code == BAD_ARGUMENTS
    out, line = capsys.readouterr()
    assert (out, line.count("\n")) == ("", 1)
    assert line.startswith("error: ")
    assert "is too long a path for this system" in line


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "interrupted: run it again"),
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0"),
    ],
)
def test_another_reader_is_told_every_error_in_words(error, message):
    heard = []
    with pytest.raises((ZeroDivisionError, typer.Exit)), one_line_errors(also=heard.append):
        raise error
    assert heard == [message]


def test_a_verb_that_ends_by_itself_keeps_its_status():
    heard = []
    with pytest.raises(typer.Exit) as ended, one_line_errors(also=heard.append):
        raise typer.Exit(7)
    assert (ended.value.exit_code, heard) == (7, [])


def test_what_one_command_says_of_an_interrupt_is_forgotten_at_its_end():
    with one_line_errors("run it again"):
        set_remedy(lambda: "go on with b")
    assert get_remedy("run it again") == "run it again"
