"""Tests of medseg.bundles.copy: a derived bundle is whole, sound and on its own, or not there."""

import json
import shutil

import pytest
import torch
from monai.bundle import ConfigParser

from medseg.bundles.build import WORKFLOWS
from medseg.bundles.check import find_faults
from medseg.bundles.copy import write_copy
from medseg.plausibility import TrainedOn, find_path_beside, read_ranges, write_trained_on

SMALL = {"channels": [2, 3, 4], "level": 1}
TEXT = {"card": "# small\n", "note": "a test of a bundle copy"}


@pytest.fixture
def bundle(tmp_path, repository):
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", tmp_path / "bundles", symlinks=True, ignore=ignore)
    return tmp_path / "bundles" / "liver_slices"


@pytest.fixture
def state(bundle):
    parser = ConfigParser(json.loads((bundle / "inference.json").read_text()) | SMALL)
    return parser.get_parsed_content("network_def").state_dict()


def test_what_the_weights_were_trained_on_goes_along(bundle, state, tmp_path):
    whole = tmp_path / "whole.pt"
    whole.write_bytes(b"the weights that these are a part of")
    write_trained_on(TrainedOn({"fold": 3}, 9, "CT", 2), whole)
    out = write_copy(
        bundle, tmp_path / "small", changes=SMALL, weights=state, weights_of=whole, **TEXT
    )
    weights = out / "models" / "model.pt"
    assert read_ranges(weights).about == {"fold": 3}
    find_path_beside(weights).unlink()
    assert read_ranges(weights).about == {"fold": 3}


def test_the_derived_bundle_passes_every_check_where_it_stands(bundle, state, tmp_path):
    out = write_copy(bundle, tmp_path / "elsewhere" / "small", changes=SMALL, weights=state, **TEXT)
    assert find_faults(str(out)) == []
    assert (out / "docs" / "README.md").read_text() == "# small\n"
    written = torch.load(out / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(written[key], value) for key, value in state.items())


def test_every_config_has_the_changes_and_the_name_and_nothing_else_changed(bundle, state):
    out = write_copy(bundle, bundle.with_name("small"), changes=SMALL, weights=state, **TEXT)
    for workflow in WORKFLOWS:
        before, after = (json.loads((r / f"{workflow}.json").read_text()) for r in (bundle, out))
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"_generated_", "name", *SMALL}
        assert after["name"] == "small"
        assert {key: after[key] for key in SMALL} == SMALL
    metadata = json.loads((out / "metadata.json").read_text())
    assert metadata["changelog"] == {metadata["version"]: TEXT["note"]}


def test_a_bundle_with_faults_does_not_appear(bundle, state, tmp_path):
    wrong = {**SMALL, "level": 2}  # of which the weights know nothing
    with pytest.raises(ValueError, match=r"would have faults: models/model.pt does not load"):
        write_copy(bundle, tmp_path / "out" / "small", changes=wrong, weights=state, **TEXT)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_not_replaced(bundle, state):
    with pytest.raises(FileExistsError, match="liver exists: remove it, or name another folder"):
        write_copy(bundle, bundle.with_name("liver"), changes=SMALL, weights=state, **TEXT)


def test_weights_too_large_for_a_repository_are_listed(bundle, state, monkeypatch):
    monkeypatch.setattr("medseg.bundles.copy.LARGE_FILE_MB", 0.001)
    out = write_copy(bundle, bundle.with_name("small"), changes=SMALL, weights=state, **TEXT)
    assert "path: models/model.pt" in (out / "large_files.yml").read_text()


def test_a_bundle_without_licences_can_be_pruned(bundle, state, tmp_path):
    for file in ("LICENSE", "configs/logging.conf"):
        (bundle / file).unlink()
    shutil.rmtree(bundle / "docs")
    out = write_copy(bundle, tmp_path / "small", changes=SMALL, weights=state, **TEXT)
    assert not (out / "LICENSE").exists()
    assert (out / "docs" / "README.md").read_text() == "# small\n"
