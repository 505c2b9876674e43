"""Tests of medseg.bundles.record_run: the folder of a run is a bundle with the run's settings."""

import json
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser

import medseg
from medseg.base.path_keys import escape_for_monai
from medseg.bundles.build import WORKFLOWS
from medseg.bundles.check import find_faults
from medseg.bundles.record_run import RecordRun, read_run, write_run_bundle
from medseg.engines import config_as_run

CHANGES = {
    "classes": {"body": [1], "lesion": [2]},
    "window_hu": [0, 80],
    "image_size": [64, 64],
    "channels": [2, 4, 8],
    "fold": 2,
    "max_epochs": 3,
    "num_workers": 0,
    "optimizer#lr": 0.5,
}


def as_run(bundle, changes, *, workflow="train"):
    """The config of a bundle as it is when an expression of it runs."""
    parser = ConfigParser(json.loads((bundle / f"{workflow}.json").read_text()))
    parser.update({**changes, "seen": "$config_as_run()"})
    parser.globals["config_as_run"] = config_as_run
    found = parser.get_parsed_content("seen")
    del found["seen"]
    return found


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
    ran = as_run(bundle, {"batch_size": 8}, workflow="multi_gpu_train")
    write_run_bundle(bundle, folder, ran)
    for workflow in ("train", "multi_gpu_train"):
        assert config(folder, workflow)["batch_size"] == 8
        assert config(folder, workflow)["device"] == config(bundle, workflow)["device"]


def test_components_given_as_objects_leave_the_shipped_ones(committed, tmp_path):
    bundle = committed / "liver"
    ran = as_run(bundle, {}) | {"loss": torch.nn.MSELoss(), "fold": 1}
    write_run_bundle(bundle, tmp_path / "run", ran)
    assert config(tmp_path / "run", "train")["loss"] == config(bundle, "train")["loss"]
    assert config(tmp_path / "run", "train")["fold"] == 1


class TinyTraining:
    """An engine that does nothing, with the handler, in the folder of a run."""

    def __init__(self, bundle, folder, *, record=None, data=None):
        self.folder = folder
        self.best = SimpleNamespace(epoch=0, scores={}, path=folder / "models" / "model.pt")
        self.engine = Engine(lambda engine, batch: None)
        self.engine.state.device = "cpu"
        handler = RecordRun(
            folder,
            bundle_root=bundle,
            config=as_run(bundle, {**CHANGES, "train#dataset#data": data or "$[]"}),
            best_weights=self.best,
            record=record,
        )
        handler.attach(self.engine)

    def run(self, epochs):
        self.engine.run([0], max_epochs=epochs)
        return read_run(self.folder)


def test_run_json_says_what_was_trained_and_how(committed, tmp_path):
    record = {"training": {"a": "1", "b": "2"}, "validation": {"patient": "3"}}
    training = TinyTraining(committed / "liver", tmp_path / "run", record=record)
    training.best.epoch, training.best.scores = 2, {"val_mean_dice": 0.5}
    found = training.run(3)
    assert (found["bundle"], found["fold"], found["seed"]) == ("liver", 2, 0)
    assert (found["epochs"], found["best_epoch"]) == (3, 2)
    assert found["scores"] == {"val_mean_dice": 0.5}
    assert found["cases"] == {"training": 2, "validation": 1}
    assert found["versions"]["torch"] == torch.__version__
    assert found["ended"] >= found["started"]
    assert found["peak_memory_bytes"]["process"] > 2**20
    assert "patient" not in json.dumps(found)


def test_the_fingerprint_of_the_data_changes_with_a_case(committed, tmp_path):
    digests = set()
    for number, case in enumerate(("1", "1", "2")):
        record = {"training": {"a": case}, "validation": {}}
        training = TinyTraining(committed / "liver", tmp_path / str(number), record=record)
        digests.add(training.run(1)["data_sha256"])
    assert len(digests) == 2


def test_a_run_that_goes_on_keeps_its_start_and_adds_its_time(committed, tmp_path):
    first = TinyTraining(committed / "liver", tmp_path / "run").run(1)
    again = TinyTraining(committed / "liver", tmp_path / "run").run(2)
    assert again["started"] == first["started"]
    assert len(again["resumed"]) == 1
    assert again["seconds"] >= first["seconds"]


def test_weights_that_were_written_elsewhere_are_copied_into_the_run(committed, tmp_path):
    training = TinyTraining(committed / "liver", tmp_path / "run")
    training.best.path = tmp_path / "other.pt"
    training.best.path.write_bytes(b"weights")
    training.run(1)
    assert (tmp_path / "run" / "models" / "model.pt").read_bytes() == b"weights"


def test_a_run_on_cases_that_a_program_hands_in_replaces_the_weights(committed, tmp_path):
    weights = committed / "liver" / "models" / "model.pt"
    weights.parent.mkdir(exist_ok=True)
    for data, expected in ((None, b"old"), ([{"image": "a.nii"}], b"new")):
        weights.write_bytes(b"old")
        training = TinyTraining(committed / "liver", tmp_path / expected.decode(), data=data)
        training.best.path.parent.mkdir(parents=True)
        training.best.path.write_bytes(b"new")
        training.run(1)
        assert weights.read_bytes() == expected
    (kept,) = (committed / "liver" / "replaced").glob("model-*.pt")
    assert kept.read_bytes() == b"old"


def test_a_damaged_run_json_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json is damaged .*: remove it"):
        read_run(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"is not the folder of a run, it has no run\.json"):
        read_run(tmp_path / "absent")


def test_every_workflow_of_a_run_names_the_run(run):
    for workflow in WORKFLOWS:
        assert escape_for_monai("first")[1:] in config(run, workflow)["bundle_root"]
