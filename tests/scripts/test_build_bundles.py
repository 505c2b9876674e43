"""Tests of scripts/build_bundles.py."""

import shutil
import sys

import pytest


@pytest.fixture
def run(script, monkeypatch, repository):
    """Runs the script with some words on the bundles of the repository; its exit status."""
    module = script("build_bundles")

    def run(*words):
        folder = str(repository / "bundles")
        monkeypatch.setattr(sys, "argv", ["build_bundles.py", "--bundles-dir", folder, *words])
        return module.main()

    return run


def test_a_page_of_keys_that_lags_behind_fails_the_check_and_is_named(
    run, tmp_path, repository, capsys
):
    page = tmp_path / "keys.md"
    shutil.copyfile(repository / "docs" / "reference" / "keys.md", page)
    assert run("--check", "--page", str(page)) == 0
    page.write_text(page.read_text() + "\n")
    assert run("--check", "--page", str(page)) == 1
    assert capsys.readouterr().out == f"{page} is out of date\n"
