"""Tests of medseg.bundles.zoo.own_run: what MONAI is given beside the config of another origin."""

import logging
import sys
from types import ModuleType

import numpy as np
import pytest
from bundles.zoo.small import CONFIG, write_bundle
from PIL import Image

from medseg.bundles.overrides import read_workflow
from medseg.bundles.zoo.own_run import importable, list_changes


@pytest.fixture
def zoo(tmp_path):
    return write_bundle(tmp_path / "bright")


def test_a_bundle_of_ours_is_run_from_its_file_alone(zoo, tmp_path):
    config = {"input": "images", "level": None}
    assert list_changes(config, dict(config), zoo, str(tmp_path)) == {}


def test_what_is_none_reaches_monai_as_an_expression(zoo, tmp_path):
    changes = list_changes(CONFIG, read_workflow(zoo, "inference"), zoo, str(tmp_path))
    assert changes["series_uid"] == "$None"
    assert "inferer" not in changes
    assert "network_def" not in changes


def test_pictures_are_left_to_the_bundle_under_the_name_of_its_input(zoo, tmp_path, caplog):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "$b@c.png")
    with caplog.at_level(logging.WARNING):
        changes = list_changes(CONFIG, read_workflow(zoo, "inference"), zoo, str(folder))
    assert changes.keys() == {"dataset#data", "inference", "planning"}
    (image,) = changes["dataset#data"]
    assert eval(image["image"].removeprefix("$")) == str(folder / "$b@c.png")
    assert changes["inference"] == CONFIG["run"]
    assert "medseg checks neither" in caplog.text


def test_code_of_two_bundles_is_not_mixed_up(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "scripts").mkdir(parents=True)
        (tmp_path / name / "scripts" / "of.py").write_text(f"name = {name!r}")
    found = []
    for name in ("a", "b"):
        with importable(tmp_path / name):
            from scripts import of

            found.append(of.name)
        assert str(tmp_path / name) not in sys.path
    assert found == ["a", "b"]


def test_a_bundle_without_code_leaves_what_is_imported(tmp_path, monkeypatch):
    own = ModuleType("scripts")
    monkeypatch.setitem(sys.modules, "scripts", own)
    with importable(tmp_path):
        assert sys.modules["scripts"] is own
        assert str(tmp_path) not in sys.path
