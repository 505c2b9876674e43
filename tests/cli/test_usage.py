"""Tests of medseg.cli.usage: a faulty command line is one plain line, whatever the fault."""

import json

import pytest
from cli.commands import run_medseg

from medseg.cli.usage import BAD_ARGUMENTS


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("prepare --sorce X", "error: no such option --sorce: did you mean --source?"),
        ("prepare --sorce=X", "error: no such option --sorce: did you mean --source?"),
        (
            "prepare nuclei --source X --uot Y",
            "error: no such option --uot: did you mean --out?",
        ),
        (
            "prepare nuclei -s x -o y --jsno",
            "error: no such option --jsno: did you mean --json?",
        ),
        ("inspect --jsn x", "error: no such option --jsn: did you mean --json?"),
        ("segment --lsit", "error: no such option --lsit: did you mean --list?"),
        ("segment --plna x -o y", "error: no such option --plna: did you mean --plan?"),
        ("export --overwrit x", "error: no such option --overwrit: did you mean --overwrite?"),
        ("download x --accept", "error: no such option --accept: see medseg download --help"),
        ("inspect x --spacing 1", "error: no such option --spacing: see medseg inspect --help"),
        ("inspect x --zzz", "error: no such option --zzz: see medseg inspect --help"),
        ("--vers", "error: no such option --vers: did you mean --version?"),
        ("segmnt", "error: no such command 'segmnt': did you mean 'segment'?"),
        ("predict", "error: no such command 'predict': did you mean 'segment'?"),
        ("eval --fold 1", "error: no such command 'eval': did you mean 'evaluate'?"),
        ("foo", "error: no such command 'foo': see medseg --help"),
        ("bundles foo", "error: no such command 'foo': see medseg bundles --help"),
        ("segment", "error: missing argument 'INPUT': see medseg segment --help"),
        (
            "segment a.nii",
            "error: missing option '--out' / '-o': see medseg segment --help",
        ),
        (
            "train --bundle",
            "error: option '--bundle' requires an argument: see medseg train --help",
        ),
        (
            "segment --skip 0.5 a.nii -o b",
            "error: expected INPUT, got --skip: write overrides after INPUT, and a name "
            "that starts with dashes as ./--skip",
        ),
    ],
)
def test_a_fault_of_the_command_line_is_one_line_that_says_what_to_do(words, line):
    ended = run_medseg(*words.split())
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr == f"{line}\n"
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "words", ["phantom ct -o x --cases two", "inspect a b", "doctor now", "bundles check --deep"]
)
def test_any_other_fault_is_one_line_with_the_verb_and_its_help(words):
    ended = run_medseg(*words.split())
    verb = " ".join(words.split()[: 2 if words.startswith("bundles") else 1])
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.endswith(f": see medseg {verb} --help\n")
    assert ended.stderr.count("\n") == 1


def test_a_word_of_an_override_is_no_misspelt_option():
    """--outer is near --out, but --out is there."""
    ended = run_medseg(
        "segment", "docs/preview_hippocampus.png", "--outer", "1", "-o", "masks", "-b", "nowhere"
    )
    assert ended.stderr.startswith("error: no bundle 'nowhere'")


@pytest.mark.parametrize("words", [[], ["bundles"]])
def test_no_verb_is_no_fault_but_shows_the_help(words):
    ended = run_medseg(*words)
    assert "Usage: medseg" in " ".join(ended.output.split())


@pytest.mark.parametrize("words", [("inspect", "", "--json"), ("inspect", "x", "--jsn", "--json")])
def test_the_document_of_a_faulty_command_line_has_no_path(words):
    ended = run_medseg(*words)
    document = json.loads(ended.stdout)
    assert document["path"] is None
    assert document["error"] in ended.stderr


@pytest.mark.parametrize("verb", ["segment", "export", "prepare", "bundles copy", "inspect"])
def test_an_argument_is_shown_by_its_name_without_a_type(verb):
    shown = run_medseg(*verb.split(), "--help").output
    assert "Arguments" in shown
    assert "<" not in shown
