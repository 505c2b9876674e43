"""Tests of medseg.cli.output: a line stays a line, and nothing in it is taken for markup."""

import sys
from types import SimpleNamespace

import pytest

from medseg.base.console_streams import OutputError
from medseg.cli import output
from medseg.cli.output import say, say_lines, say_where_possible


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
