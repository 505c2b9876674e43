"""Tests of medseg.bundles.catalogue.bundle_root: the bundle that runs is the one that is found."""

import json

import pytest
from monai.bundle import ConfigWorkflow

from medseg.bundles import find


@pytest.mark.parametrize(("inside", "root"), [(".", "bundles/toy"), ("bundles", "toy")])
def test_a_bundle_is_found_from_above(tmp_path, monkeypatch, inside, root):
    _place(tmp_path)
    monkeypatch.chdir(tmp_path / inside)
    assert find("toy") == root


def test_a_bundle_is_found_from_inside(tmp_path, monkeypatch):
    _place(tmp_path)
    monkeypatch.chdir(tmp_path / "bundles" / "toy")
    assert find("toy") == "."


@pytest.mark.parametrize("form", ["configs/train.json", "train.json"])
def test_the_bundle_of_the_running_config_is_taken_even_if_it_lacks_its_metadata(
    tmp_path, monkeypatch, form
):
    """Else the weights of another bundle of that name would be used without a word."""
    _place(tmp_path)
    mine = tmp_path / "mine"
    (mine / "configs").mkdir(parents=True)
    config = {
        "imports": ["$import medseg", "$import medseg.bundles"],
        "root": "$medseg.bundles.find('toy')",
    }
    (mine / form).write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    workflow = ConfigWorkflow(config_file=f"mine/{form}", logging_file=False)
    workflow.initialize()
    assert workflow._run_expr("root") == ["mine"]


def test_another_bundle_is_not_taken_for_it(tmp_path, monkeypatch):
    _place(tmp_path)
    monkeypatch.chdir(tmp_path / "bundles" / "toy")
    with pytest.raises(FileNotFoundError, match=r"bundle 'lung' is neither .*pass --bundle_root"):
        find("lung")


def _place(root):
    configs = root / "bundles" / "toy" / "configs"
    configs.mkdir(parents=True)
    (configs / "metadata.json").write_text("{}")
