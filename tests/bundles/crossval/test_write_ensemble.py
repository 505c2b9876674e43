"""Tests of medseg.bundles.crossval.write_ensemble: the folds become one bundle that segments."""

import json

import pytest
import torch
from bundles.crossval.test_crossval import bundle as bundle  # fixtures
from monai.bundle import ConfigParser
from planning.test_plan_folder import data as data

from medseg.bundles.bundle_of_run import write_run_bundle
from medseg.bundles.check import find_faults
from medseg.bundles.crossval import write_ensemble as module
from medseg.bundles.crossval.folds import list_folds
from medseg.bundles.crossval.write_ensemble import write_ensemble
from medseg.inference.predictor.predictor import Predictor
from medseg.plausibility.trained_on import TrainedOn, carry_trained_on, read_trained_on

SCORES = {"out_of_fold_mean_dice": 0.8}


@pytest.fixture
def folds(bundle, tmp_path):
    parser = ConfigParser(ConfigParser.load_config_file(str(bundle / "configs" / "train.json")))
    parser["channels"] = [4, 8, 16]
    parser["strides"], parser["kernel_size"] = 2, 3
    parser["image_size"] = [16, 16, 16]
    made = list_folds(tmp_path / "crossval", 2)
    trained = TrainedOn({"name": "kidney", "fold": 0}, 4, "MR", 3)
    for fold in made:
        write_run_bundle(bundle, fold.folder, parser.get())
        network = parser.get_parsed_content("network_def", instantiate=True)
        (fold.folder / "models").mkdir()
        torch.save(carry_trained_on(network.state_dict(), trained), fold.folder / "models/model.pt")
        run = {"bundle": "kidney", "fold": fold.number, "folds": 2, "all_cases": False}
        (fold.folder / "run.json").write_text(json.dumps(run))
    return made


def test_the_bundle_has_the_weights_of_all_folds_and_cleans_as_was_chosen(folds, tmp_path):
    folder = tmp_path / "crossval" / "ensemble"
    found = write_ensemble(folder, folds, scores=SCORES, keys={"largest_only": ["kidney"]})
    assert found.members == 2
    assert found.seconds > found.seconds_of_one > 0
    state = torch.load(folder / "models/model.pt", weights_only=True)
    one = torch.load(folds[1].folder / "models/model.pt", weights_only=True)
    for key, weight in one.items():
        torch.testing.assert_close(state[f"members.1.{key}"], weight.half())
    config = json.loads((folder / "configs/inference.json").read_text())
    assert config["largest_only"] == ["kidney"]
    assert find_faults(str(folder)) == find_faults(str(folds[0].folder))


def test_a_patch_is_timed_as_it_is_segmented(folds, tmp_path, monkeypatch):
    made = []

    def spy(network, device, *, backend):
        made.append(backend)
        return Predictor(network, device, backend=backend)

    monkeypatch.setattr(module, "Predictor", spy)
    write_ensemble(tmp_path / "ensemble", folds, scores=SCORES, keys={"predictor": "eager"})
    assert made == ["eager", "eager"]


def test_it_says_that_it_has_seen_all_cases(folds, tmp_path):
    folder = tmp_path / "crossval" / "ensemble"
    write_ensemble(folder, folds, scores=SCORES, keys={})
    run = json.loads((folder / "run.json").read_text())
    assert (run["all_cases"], run["fold"], run["scores"]) == (True, None, SCORES)
    assert "fold" not in read_trained_on(folder / "models/model.pt").about


def test_an_earlier_ensemble_is_replaced(folds, tmp_path):
    folder = tmp_path / "crossval" / "ensemble"
    write_ensemble(folder, folds, scores=SCORES, keys={})
    write_ensemble(folder, folds, scores={"out_of_fold_mean_dice": 0.9}, keys={})
    assert json.loads((folder / "run.json").read_text())["scores"]["out_of_fold_mean_dice"] == 0.9


def test_folds_of_other_networks_are_refused(folds, tmp_path):
    path = folds[1].folder / "models/model.pt"
    state = torch.load(path, weights_only=True)
    del state[next(iter(state))]
    torch.save(state, path)
    with pytest.raises(ValueError, match="must have the same keys: train all alike"):
        write_ensemble(tmp_path / "ensemble", folds, scores=SCORES, keys={})
