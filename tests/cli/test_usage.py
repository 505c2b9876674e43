"""Tests of medseg.cli.usage: a faulty command line is one plain line, whatever the fault."""

import json

import pytest
from typer.testing import CliRunner

from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS


def _medseg(*words):
    return CliRunner().invoke(app.app, words)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("prepare --sorce X", "medseg prepare: no such option --sorce: did you mean --source?"),
        ("prepare --sorce=X", "medseg prepare: no such option --sorce: did you mean --source?"),
        (
            "prepare nuclei --source X --uot Y",
            "medseg prepare: no such option --uot: did you mean --out?",
        ),
        ("inspect --jsn x", "medseg inspect: no such option --jsn: did you mean --json?"),
        ("inspect x --zzz", "medseg inspect: no such option --zzz: see medseg inspect --help"),
        ("--vers", "medseg: no such option --vers: see medseg --help"),
        ("segmnt", "medseg: no such command 'segmnt': did you mean 'segment'?"),
        ("foo", "medseg: no such command 'foo': see medseg --help"),
        ("bundles foo", "medseg bundles: no such command 'foo': see medseg bundles --help"),
        ("segment", "medseg segment: missing argument 'INPUT': see medseg segment --help"),
        (
            "segment a.nii",
            "medseg segment: missing option '--out' / '-o': see medseg segment --help",
        ),
        (
            "train --bundle",
            "medseg train: option '--bundle' requires an argument: see medseg train --help",
        ),
        (
            "segment --skip 0.5 a.nii -o b",
            "medseg segment: expected INPUT, got --skip: write overrides after INPUT, and a name "
            "that starts with dashes as ./--skip",
        ),
    ],
)
def test_a_fault_of_the_command_line_is_one_line_that_says_what_to_do(words, line):
    ended = _medseg(*words.split())
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr == f"{line}\n"
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "words", ["phantom ct -o x --cases two", "inspect a b", "doctor now", "bundles check --deep"]
)
def test_any_other_fault_is_one_line_with_the_verb_and_its_help(words):
    ended = _medseg(*words.split())
    verb = " ".join(words.split()[: 2 if words.startswith("bundles") else 1])
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith(f"medseg {verb}: ")
    assert ended.stderr.endswith(f": see medseg {verb} --help\n")
    assert ended.stderr.count("\n") == 1


def test_a_word_of_an_override_is_no_misspelt_option():
    """--outer is near --out, but --out is there."""
    ended = _medseg("segment", "README.md", "--outer", "1", "-o", "masks", "-b", "nowhere")
    assert "nowhere is not a bundle" in ended.stderr


@pytest.mark.parametrize("words", [[], ["bundles"]])
def test_no_verb_is_no_fault_but_shows_the_help(words):
    ended = _medseg(*words)
    assert "Usage: medseg" in " ".join(ended.output.split())


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (("inspect", ""), "inspect"),
        (("segment", "", "-o", "x"), "segment"),
        (("segment", "x", "-o", ""), "segment"),
        (("segment", "x", "--out="), "segment"),
        (("train", "-b", ""), "train"),
        (("evaluate", "-b", ""), "evaluate"),
        (("prune", "-o", ""), "prune"),
        (("prune", "--report", ""), "prune"),
        (("export", ""), "export"),
        (("prepare", "nuclei", "--source", "", "-o", "x"), "prepare"),
        (("prepare", "nuclei", "--source", "x", "-o", ""), "prepare"),
        (("download", "nuclei", "-o", ""), "download"),
        (("phantom", "ct", "-o", ""), "phantom"),
        (("bundles", "list", "--bundles-dir", ""), "bundles list"),
        (("bundles", "build", ""), "bundles build"),
        (("bundles", "check", ""), "bundles check"),
    ],
)
def test_an_empty_path_is_refused_and_is_not_this_folder(words, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = _medseg(*words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith(f"medseg {verb}: ")
    assert "the path is empty: name a file or folder (. is the current one)" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("segment", "in", "-o", "{}"),
        ("segment", "in", "-o", "out", "-b", "{}"),
        ("prepare", "liver", "--source", "{}", "--out", "out"),
        ("inspect", "{}"),
    ],
)
def test_a_path_longer_than_the_system_takes_is_one_line(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = _medseg(*(word.format("/".join(["e" * 200] * 21)) for word in words))
    assert ended.exit_code == BAD_ARGUMENTS
    assert "is too long a path for this system" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("inspect", "", "--json"), ("inspect", "x", "--jsn", "--json")])
def test_the_document_of_a_faulty_command_line_has_no_path(words):
    ended = _medseg(*words)
    document = json.loads(ended.stdout)
    assert document["path"] is None
    assert document["error"] in ended.stderr
