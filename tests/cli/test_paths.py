"""Tests of medseg.cli.paths: an empty path and an override in place of a path are refused."""

import pytest
from cli.commands import run_medseg

from medseg.cli.usage import BAD_ARGUMENTS


def test_segment_wants_its_input_before_the_overrides(here, calls):
    ended = run_medseg("segment", "--skip", "0.5", "study/ct", "-o", "masks")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "write overrides after INPUT" in " ".join(ended.output.split())
    assert not calls


def test_export_wants_its_output_before_the_overrides(tiny):
    ended = run_medseg("export", "--level", "1", "network.ts", "-b", "bundles/nuclei")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "write overrides after OUTPUT" in " ".join(ended.output.split())


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
    ended = run_medseg(*words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.endswith(f": see medseg {verb} --help\n")
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
    ended = run_medseg(*(word.format("/".join(["e" * 200] * 21)) for word in words))
    assert ended.exit_code == BAD_ARGUMENTS
    assert "is too long a path for this system" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
