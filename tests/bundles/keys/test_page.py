"""Tests of medseg.bundles.keys.page."""

import json

import pytest

from medseg.bundles.keys.page import build_page, make_page
from medseg.bundles.layers.merge import CONFIG_NAMES

CONFIGS = {"a": {"max_epochs": 3}, "b": {"max_epochs": 3}, "c": {"max_epochs": 9, "seed": 1}}


@pytest.fixture
def bundles(tmp_path):
    """Three bundles, each with the same keys in every workflow."""
    for name, config in CONFIGS.items():
        folder = tmp_path / name / "configs"
        folder.mkdir(parents=True)
        for workflow in CONFIG_NAMES:
            (folder / f"{workflow}.json").write_text(json.dumps(config))
    return tmp_path


def _find_row(page, key):
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{key}` |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def _set(bundles, name, workflow, **keys):
    (bundles / name / "configs" / f"{workflow}.json").write_text(json.dumps(keys))


def test_the_committed_page_is_what_the_configs_give(repository):
    assert not build_page(
        repository / "bundles", repository / "docs" / "reference" / "keys.md", check=True
    ), "run scripts/build_bundles.py"


def test_the_most_frequent_default_comes_first_and_others_name_their_bundles(bundles):
    assert _find_row(make_page(bundles), "max_epochs")[4:] == [
        "`3`; `9` (c)",
        "train, evaluate, segment",
    ]


def test_a_key_that_not_all_bundles_have_names_those_that_do(bundles):
    assert _find_row(make_page(bundles), "seed")[4:] == ["`1`", "train, evaluate, segment; c"]


def test_defaults_that_differ_by_verb_are_told_apart(bundles):
    _set(bundles, "c", "evaluate", seed=2)
    _set(bundles, "c", "inference")
    row = _find_row(make_page(bundles), "seed")
    assert row[4:] == ["train: `1`; evaluate: `2`", "train, evaluate; c"]


def test_a_key_of_the_training_on_several_devices_alone_says_so(bundles):
    _set(bundles, "a", "multi_gpu_train", backend="gloo")
    row = _find_row(make_page(bundles), "backend")
    assert row[4:] == ["`gloo`", "training on several devices; a"]


def test_a_page_is_written_once_and_only_where_asked(bundles, tmp_path):
    page = tmp_path / "keys.md"
    assert build_page(bundles, page, check=True)
    assert not page.exists()
    assert build_page(bundles, page)
    assert not build_page(bundles, page)
    _set(bundles, "a", "train", max_epochs=4)
    assert build_page(bundles, page, check=True)
