"""Tests of medseg.bundles.catalogue.own_copy: a copy stands on its own, under its own name."""

import json

import pytest

from medseg.bundles.build import FLAT_NAMES
from medseg.bundles.catalogue.describe import describe
from medseg.bundles.catalogue.locate import locate
from medseg.bundles.catalogue.own_copy import copy_bundle
from medseg.bundles.check import find_faults
from medseg.bundles.layers.merge import CONFIG_NAMES


def test_a_copy_has_no_fault_and_the_weights_and_scores_of_the_bundle(repository, tmp_path):
    original = repository / "bundles" / "nuclei"
    out = copy_bundle(original, tmp_path / "some" / "mine")
    assert find_faults(str(out)) == []
    for file in ("models/model.pt", "models/model.trained_on.json", "docs/README.md"):
        assert (out / file).read_bytes() == (original / file).read_bytes()
    assert describe(out)["scores"] == describe(original)["scores"]
    for name in CONFIG_NAMES:
        before, after = (json.loads((r / f"{name}.json").read_text()) for r in (original, out))
        changed = {"_generated_", "name"} & before.keys()
        assert {key for key in before if before[key] != after[key]} == changed
        assert after.get("name", "mine") == "mine"
        assert after["_generated_"] == "copied from nuclei 0.2.0 by medseg bundles copy"


def test_a_copy_is_found_by_its_name(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_bundle(locate("liver"), tmp_path / "bundles" / "mine")
    assert str(locate("mine")) == "bundles/mine"


def test_a_copied_run_is_a_bundle_again(committed, tmp_path):
    run = committed / "nuclei"
    (run / "run.json").write_text('{"scores": {"val_mean_dice": 0.5}}')
    (run / "resume.pt").touch()
    train = run / "configs" / "train.json"
    config = json.loads(train.read_text())
    train.write_text(json.dumps({**config, "bundle_root": "$medseg.bundles.find(@name, run='1')"}))
    out = copy_bundle(run, tmp_path / "mine")
    assert json.loads((out / "train.json").read_text())["bundle_root"] == (
        "$medseg.bundles.find(@name)"
    )
    assert (out / "models" / "model.run.json").is_file()
    assert not (out / "run.json").exists()
    assert not (out / "resume.pt").exists()


def test_a_bundle_of_another_origin_keeps_its_keys(tmp_path):
    zoo = tmp_path / "spleen"
    (zoo / "configs").mkdir(parents=True)
    config = {"name": "Swin", "bundle_root": ".", "run": []}
    (zoo / "configs" / "inference.json").write_text(json.dumps(config))
    out = copy_bundle(zoo, tmp_path / "mine")
    copied = json.loads((out / "configs" / "inference.json").read_text())
    assert {key: copied[key] for key in config} == config
    assert (out / FLAT_NAMES[3]).read_text() == (out / "configs" / "inference.json").read_text()


def test_what_is_there_is_not_replaced(repository, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="exists: remove it, or name another folder"):
        copy_bundle(repository / "bundles" / "liver", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []
