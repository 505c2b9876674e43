"""Tests of `medseg download`: the licence comes first, and nothing is fetched without a yes."""

import sys

import pytest
from typer.testing import CliRunner

from medseg.cli import app, data_verbs
from medseg.cli.usage import BAD_ARGUMENTS
from medseg.datasets.download import catalogue
from medseg.datasets.download import fetch as fetching

NOTICE = "Licence: CC BY-SA 4.0"


@pytest.fixture
def fetched(monkeypatch):
    """What would be fetched: (name of the dataset, folder, whether the licence is accepted)."""
    calls = []
    real = fetching.download

    def download(dataset, out, *, accept_licence):
        if dataset.by_hand or not accept_licence:
            return real(dataset, out, accept_licence=accept_licence)
        calls.append((dataset.name, str(out), accept_licence))
        return [out / file.name for file in dataset.files]

    monkeypatch.setattr(fetching, "download", download)
    return calls


@pytest.fixture
def terminal(monkeypatch):
    """Answers can be typed."""
    monkeypatch.setattr(data_verbs, "_on_terminal", lambda: True)


def run(*arguments, typed=""):
    return CliRunner().invoke(app.app, ["download", *arguments], input=typed)


def test_the_flag_says_yes_after_the_licence_is_shown(fetched, tmp_path):
    ended = run("hippocampus", "--out", str(tmp_path), "--accept-licence")
    assert ended.exit_code == 0, ended.output
    assert fetched == [("hippocampus", str(tmp_path), True)]
    lines = ended.stdout.splitlines()
    assert lines[1] == NOTICE
    assert lines[-2] == f"{tmp_path / 'Task04_Hippocampus.tar'} (published SHA-256)"
    assert lines[-1].startswith("next: unpack it with tar -xf Task04_Hippocampus.tar")


def test_without_the_flag_and_without_a_terminal_nothing_is_fetched(fetched, tmp_path):
    ended = run("hippocampus", "--out", str(tmp_path / "out"))
    assert ended.exit_code == BAD_ARGUMENTS
    assert NOTICE in ended.stdout
    assert ended.stderr.startswith("error: the licence of hippocampus (CC BY-SA 4.0, http://med")
    assert "--accept-licence" in ended.stderr
    assert fetched == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("typed", "asked_for"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_the_user_is_asked(fetched, terminal, tmp_path, typed, asked_for):
    ended = run("hippocampus", "--out", str(tmp_path / "out"), typed=typed)
    shown = ended.stdout
    assert shown.index(NOTICE) < shown.index("Do you accept these terms?")
    assert len(fetched) == asked_for
    assert (ended.exit_code == 0) == bool(asked_for)


@pytest.mark.parametrize(
    "name", [name for name, dataset in catalogue.CATALOGUE.items() if dataset.by_hand]
)
def test_a_dataset_to_be_fetched_by_hand_is_told_step_by_step(fetched, terminal, tmp_path, name):
    ended = run(name, "--out", str(tmp_path / "out"), "--accept-licence")
    assert ended.exit_code == BAD_ARGUMENTS
    dataset = catalogue.find(name)
    assert f"Licence: {dataset.licence}" in ended.stdout
    assert "Do you accept" not in ended.stdout
    for number, step in enumerate(dataset.steps, start=1):
        assert f"({number}) {step}" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_dataset_is_refused_in_one_line(tmp_path):
    ended = run("imagenet", "--out", str(tmp_path))
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith("error: dataset 'imagenet' is unknown: choose one of liver, ")
    assert ended.stderr.count("\n") == 1


def test_the_name_and_the_folder_are_needed():
    assert run().exit_code == BAD_ARGUMENTS
    assert run("hippocampus").exit_code == BAD_ARGUMENTS


def test_the_table_is_read_without_numpy():
    """So that the licence is on the screen at once; checked in a process of its own."""
    import subprocess

    code = (
        "import sys; from medseg.datasets.download import catalogue, fetch;"
        "print([name for name in ('numpy', 'torch', 'monai') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr
