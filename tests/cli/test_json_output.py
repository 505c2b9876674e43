"""Tests of medseg.cli.json_output: one document, also where a verb fails."""

import json
from pathlib import Path

from medseg.cli.json_output import say_error_as_json, say_json


def test_a_document_is_printed_whole_whatever_its_names_hold(capsys):
    document = {"name": "a [b] :smile: \n\x1b[31m " + "long " * 60, "score": None}
    say_json({**document, "folder": Path("a/b")})
    assert json.loads(capsys.readouterr().out) == {**document, "folder": "a/b"}


def test_a_fault_is_a_document_where_it_is_asked_for(capsys):
    assert say_error_as_json(False) is None
    say_error_as_json(True)("no such bundle")
    assert json.loads(capsys.readouterr().out) == {"error": "no such bundle"}
