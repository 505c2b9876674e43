"""Tests of medseg.cli.bundles: bundles are listed, built and checked."""

import pytest
from cli.commands import PAGE, REPOSITORY, run_medseg

from medseg.bundles.build import list_names
from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS


def test_bundles_are_listed_with_their_task(here):
    lines = run_medseg("bundles", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == list_names(REPOSITORY / "bundles")
    tasks = dict(zip(list_names(REPOSITORY / "bundles"), lines, strict=True))
    assert "Segmentation of the liver" in tasks["liver"]
    assert "Segmentation of cell nuclei" in tasks["nuclei"]


def test_built_bundles_need_no_building(here):
    ended = run_medseg("bundles", "build")
    assert (ended.exit_code, ended.output) == (app.DONE, "")


@pytest.mark.parametrize("verb", ["build", "check"])
def test_an_unknown_bundle_is_one_line(here, verb):
    ended = run_medseg("bundles", verb, "lung")
    assert ended.exit_code == BAD_ARGUMENTS
    known = ", ".join(list_names(REPOSITORY / "bundles"))
    assert ended.stderr == f"error: no bundle 'lung' in bundles: it has {known}{PAGE}\n"


def test_bundles_outside_a_repository_are_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run_medseg("bundles", "list")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "run from the repository root" in ended.stderr


@pytest.mark.parametrize(("found", "status"), [([], app.DONE), (["a [b]"], app.SOME_FAILED)])
def test_check_fails_where_a_bundle_has_faults(here, monkeypatch, found, status):
    from medseg.bundles import check

    monkeypatch.setattr(check, "find_faults", lambda name, bundles_dir: found)
    ended = run_medseg("bundles", "check", "liver")
    assert ended.exit_code == status
    assert ended.output == ("liver: 1 fault\n  a [b]\n" if found else "liver: ok\n")


def test_publish_says_where_the_earlier_weights_are(here, monkeypatch, tmp_path):
    from medseg.bundles import publish

    kept = tmp_path / "old.pt"
    monkeypatch.setattr(publish, "publish_run", lambda run, bundle: kept)
    ended = run_medseg("bundles", "publish", "runs/liver/first", "bundles/liver")
    assert ended.exit_code == app.DONE
    assert ended.output == (
        f"bundles/liver has the weights of runs/liver/first; the earlier ones: {kept}\n"
    )


def test_publishing_what_is_no_run_is_one_line(here):
    ended = run_medseg("bundles", "publish", "bundles/nuclei", "bundles/liver")
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith(
        "error: bundles/nuclei is not the folder of a run, it has no run.json: name a folder"
    )
