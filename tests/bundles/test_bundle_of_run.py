"""Tests of medseg.bundles.bundle_of_run: the folder of a run is a bundle with its settings."""

import json

import pytest
import torch
from bundles.running_config import CHANGES, as_run
from monai.bundle import ConfigParser

import medseg
from medseg.base.path_keys import escape_for_monai
from medseg.bundles.build import WORKFLOWS
from medseg.bundles.bundle_of_run import write_run_bundle
from medseg.bundles.check import find_faults
from medseg.bundles.layers.merge import OVERLAY


@pytest.fixture
def run(committed, tmp_path):
    folder = tmp_path / "runs" / "liver" / "first"
    bundle = committed / "liver"
    write_run_bundle(bundle, folder, as_run(bundle, CHANGES))
    return folder


def config(root, workflow):
    return json.loads((root / f"{workflow}.json").read_text())


def test_segmenting_with_a_run_needs_no_other_option(run):
    inference = config(run, "inference")
    for key in ("classes", "window_hu", "image_size", "channels"):
        assert inference[key] == CHANGES[key]


def test_evaluating_a_run_takes_its_own_split_and_writes_into_the_run(run):
    evaluate = config(run, "evaluate")
    assert evaluate["fold"] == 2
    assert evaluate["output_dir"] == "$@bundle_root + '/evaluation'"


def test_the_training_config_is_as_it_ran_but_for_the_places_of_the_run(run, committed):
    train, shipped = config(run, "train"), config(committed / "liver", "train")
    assert train["optimizer"]["lr"] == 0.5
    assert (train["max_epochs"], train["num_workers"]) == (3, 0)
    assert (train["output_dir"], train["weights"]) == (shipped["output_dir"], shipped["weights"])
    changed = {key for key in shipped if train[key] != shipped[key]}
    nested = {key.partition("#")[0] for key in CHANGES}
    assert changed == {*nested, "_generated_", "bundle_root"}


def test_machine_settings_stay_with_the_training(run, committed):
    shipped = config(committed / "liver", "inference")
    assert config(run, "inference")["device"] == shipped["device"]


def test_a_run_is_found_from_the_working_directory_and_when_it_is_moved(run, tmp_path, monkeypatch):
    expression = config(run, "inference")["bundle_root"]
    monkeypatch.chdir(tmp_path)
    assert find_root(expression) == "runs/liver/first"
    monkeypatch.chdir(run)
    assert find_root(expression) == "."
    moved = run.rename(tmp_path / "first")
    monkeypatch.chdir(tmp_path)
    assert find_root(expression) == moved.name


def find_root(expression):
    parser = ConfigParser({"name": "liver", "bundle_root": expression})
    parser.globals["medseg"] = medseg
    return parser.get_parsed_content("bundle_root")


def test_a_run_is_a_bundle_without_faults(run):
    (run / "run.json").write_text("{}")
    assert find_faults(str(run)) == []


def test_a_run_by_several_processes_leaves_the_config_for_one(committed, tmp_path):
    bundle, folder = committed / "liver", tmp_path / "run"
    changes = {"batch_size": 8, "train#trainer#amp": True, "validate#dataloader#batch_size": 2}
    write_run_bundle(bundle, folder, as_run(bundle, changes, workflow=OVERLAY))
    train, shipped = config(folder, "train"), config(bundle, "train")
    assert {key for key in train if train[key] != shipped[key]} == {
        *("_generated_", "bundle_root", "batch_size", "train", "validate")
    }
    assert train["train"]["trainer"] == {**shipped["train"]["trainer"], "amp": True}
    assert train["train"]["handlers"] == shipped["train"]["handlers"]
    assert train["validate"]["dataloader"] == {**shipped["validate"]["dataloader"], "batch_size": 2}


def test_a_run_by_several_processes_keeps_the_overlay_with_its_own_choices(committed, tmp_path):
    bundle, folder = committed / "liver", tmp_path / "run"
    write_run_bundle(bundle, folder, as_run(bundle, {"backend": "gloo"}, workflow=OVERLAY))
    shipped = {**config(bundle, OVERLAY), "_generated_": config(folder, OVERLAY)["_generated_"]}
    assert config(folder, OVERLAY) == {**shipped, "backend": "gloo"}
    assert "backend" not in config(folder, "train")


def test_a_handler_that_a_run_by_several_processes_adds_is_kept_without_those_of_the_overlay(
    committed, tmp_path
):
    bundle, folder, mine = committed / "liver", tmp_path / "run", {"_target_": "mine.Handler"}
    ran = as_run(bundle, {}, workflow=OVERLAY)
    ran["train"]["handlers"].append(mine)
    write_run_bundle(bundle, folder, ran)
    alone = as_run(bundle, {})["train"]["handlers"]
    assert config(folder, "train")["train"]["handlers"] == [*alone, mine]


def test_classes_in_another_order_are_another_label_map(committed, tmp_path):
    bundle = committed / "hippocampus"
    classes = dict(reversed(config(bundle, "train")["classes"].items()))
    write_run_bundle(bundle, tmp_path / "run", as_run(bundle, {"classes": classes}))
    for workflow in WORKFLOWS:
        assert list(config(tmp_path / "run", workflow)["classes"]) == [*classes]


def test_a_part_that_is_added_to_a_component_stays_with_it(committed, tmp_path):
    bundle = committed / "liver"
    ran = as_run(bundle, {})
    ran["optimizer"]["weight_decay"] = 0.1
    write_run_bundle(bundle, tmp_path / "run", ran)
    optimizer = config(bundle, "train")["optimizer"]
    assert config(tmp_path / "run", "train")["optimizer"] == {**optimizer, "weight_decay": 0.1}


def test_components_given_as_objects_leave_the_shipped_ones(committed, tmp_path):
    bundle = committed / "liver"
    ran = as_run(bundle, {}) | {"loss": torch.nn.MSELoss(), "fold": 1}
    write_run_bundle(bundle, tmp_path / "run", ran)
    assert config(tmp_path / "run", "train")["loss"] == config(bundle, "train")["loss"]
    assert config(tmp_path / "run", "train")["fold"] == 1


def test_every_workflow_of_a_run_names_the_run(run):
    for workflow in WORKFLOWS:
        assert escape_for_monai("first")[1:] in config(run, workflow)["bundle_root"]
