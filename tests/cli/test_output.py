"""Tests of medseg.cli.output: a line stays a line, and nothing in it is taken for markup."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from medseg.base.console_streams import OutputError
from medseg.cli import output
from medseg.cli.output import say, say_error_as_json, say_json, say_lines, say_where_possible


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("written bundles/liver", "written bundles/liver\n"),
        ("a\nb", "a\\nb\n"),
        ("[red]a[/] :skull: 12 'x'", "[red]a[/] :skull: 12 'x'\n"),
        ("word " * 100 + "end", "word " * 100 + "end\n"),
    ],
)
def test_a_text_is_one_line_as_it_is_written(capsys, text, written):
    say(text)
    assert capsys.readouterr().out == written


def test_lines_stay_lines_and_other_control_characters_are_escaped(capsys):
    say_lines("a\nb\x1b[31m")
    assert capsys.readouterr().out == "a\nb\\x1b[31m\n"


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_error_goes_to_the_stream_that_is_left(capsys, monkeypatch, is_lost):
    monkeypatch.setattr(output, "is_log_lost", lambda: is_lost)
    say_where_possible("error: a\n")
    assert capsys.readouterr() == (("error: a\n", "") if is_lost else ("", "error: a\n"))


def test_an_error_of_which_both_streams_are_lost_is_dropped(monkeypatch):
    def refuse(text):
        raise OutputError("no space")

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=refuse, flush=lambda: None))
    say_where_possible("error: a\n")


def test_a_document_is_printed_whole_whatever_its_names_hold(capsys):
    document = {"name": "a [b] :smile: \n\x1b[31m " + "long " * 60, "score": None}
    say_json({**document, "folder": Path("a/b")})
    assert json.loads(capsys.readouterr().out) == {**document, "folder": "a/b"}


def test_a_fault_is_a_document_where_it_is_asked_for(capsys):
    assert say_error_as_json(False) is None
    say_error_as_json(True)("no such bundle")
    assert json.loads(capsys.readouterr().out) == {"error": "no such bundle"}
