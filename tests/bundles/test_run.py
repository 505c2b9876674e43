"""Tests of medseg.bundles.run: what reaches MONAI, and what is refused before anything runs."""

import json

import pytest
from monai.bundle import ConfigWorkflow, scripts

from medseg.bundles.run import run_bundle

CONFIG = {
    "max_epochs": 100,
    "learning_rate": 3e-4,
    "classes": {"liver": [1, 2]},
    "train": {"trainer": {"max_epochs": "@max_epochs"}, "handlers": [{"interval": 1}]},
    "bundle_root": ".",
}


@pytest.fixture
def bundle(tmp_path):
    root = tmp_path / "toy"
    root.mkdir()
    (root / "train.json").write_text(json.dumps(CONFIG))
    return root


@pytest.fixture
def calls(monkeypatch):
    """What reaches `monai.bundle run`."""
    calls = []
    monkeypatch.setattr(scripts, "run", lambda **arguments: calls.append(arguments))
    return calls


def test_monai_runs_the_flat_config_with_the_overrides(bundle, calls):
    run_bundle(bundle, "train", run_id="training", arguments=["--max_epochs", "2"])
    assert calls == [
        {
            "run_id": "training",
            "config_file": [str(bundle / "train.json")],
            "max_epochs": 2,
            "bundle_root": str(bundle),
        }
    ]


def test_the_config_in_configs_goes_before_a_flat_name_that_is_no_link(bundle, calls):
    (bundle / "configs").mkdir()
    (bundle / "train.json").rename(bundle / "configs" / "train.json")
    for flat in (None, "configs/train.json"):  # an archive without links, a checkout without them
        if flat:
            (bundle / "train.json").write_text(flat)
        run_bundle(bundle, "train", run_id="training")
        assert calls.pop()["config_file"] == [str(bundle / "configs" / "train.json")]


def test_a_training_in_several_processes_gets_the_overlay_and_chooses_its_folder_together(
    bundle, calls, monkeypatch
):
    train = {**CONFIG, "output_dir": "$1 / 0", "weights": "$1 / 0"}
    (bundle / "train.json").write_text(json.dumps(train))
    overlay = {"backend": "gloo", "+train#handlers": [{"interval": 2}]}
    (bundle / "multi_gpu_train.json").write_text(json.dumps(overlay))
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = ["--backend", "nccl", "--train#handlers#1#interval", "3"]
    assert run_bundle(bundle, "train", run_id="training", arguments=words) is None
    [call] = calls
    assert call["config_file"] == [str(bundle / f"{n}.json") for n in ("train", "multi_gpu_train")]
    assert (call["backend"], call["train#handlers#1#interval"]) == ("nccl", 3)
    assert "output_dir" not in call


def test_one_process_that_torchrun_starts_needs_no_overlay(bundle, calls, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    run_bundle(bundle, "train", run_id="training")
    assert calls[0]["config_file"] == [str(bundle / "train.json")]


def test_a_config_of_the_model_zoo_runs_by_its_own_id(bundle, calls):
    zoo = {**CONFIG, "run": ["$@train"]}
    (bundle / "train.json").write_text(json.dumps(zoo))
    run_bundle(bundle, "train", run_id="training")
    (bundle / "train.json").write_text(json.dumps({**zoo, "training": ["$@train"]}))
    run_bundle(bundle, "train", run_id="training")
    assert [call["run_id"] for call in calls] == ["run", "training"]


def test_a_bundle_that_takes_no_input_at_all_is_not_segmented_with(bundle, calls):
    (bundle / "inference.json").write_text(json.dumps({**CONFIG, "inference": ["$1"]}))
    with pytest.raises(ValueError, match="has neither a key input nor dataset, preprocessing"):
        run_bundle(bundle, "inference", run_id="inference", arguments=["--input=a.nii.gz"])
    assert not calls


def test_what_a_config_cannot_do_is_refused_by_the_name_of_it(bundle, calls):
    zoo = {**CONFIG, "run": ["$@train"]}
    (bundle / "inference.json").write_text(json.dumps(zoo))
    with pytest.raises(ValueError, match=r"has no planning, so that this cannot be done with it"):
        run_bundle(bundle, "inference", run_id="planning", arguments=["--input=a.nii.gz"])
    assert not calls


def test_none_reaches_the_config_though_monai_drops_it(tmp_path):
    seen = tmp_path / "seen.txt"
    config = {
        "imports": ["$import pathlib"],
        "bundle_root": ".",
        "patience": 10,
        "seen": str(seen),
        "training": ["$pathlib.Path(@seen).write_text(repr(@patience))"],
    }
    (tmp_path / "train.json").write_text(json.dumps(config))
    run_bundle(tmp_path, "train", run_id="training", arguments=["--patience", "null"])
    assert seen.read_text() == "None"


def test_the_bundle_root_can_be_overridden(bundle, calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_bundle(bundle, "train", run_id="training", arguments=["--bundle_root", "elsewhere"])
    assert calls[0]["bundle_root"] == str(tmp_path / "elsewhere")


def test_arguments_of_monai_pass(bundle, calls):
    run_bundle(bundle, "train", run_id="training", arguments=["--logging_file", "my.conf"])
    assert calls[0]["logging_file"] == "my.conf"


@pytest.mark.parametrize("key", ["max_epoch", "run_id", "config_file", "args_file"])
def test_nothing_runs_after_an_unknown_override(bundle, calls, key):
    with pytest.raises(ValueError, match=f"--{key} is not a key"):
        run_bundle(bundle, "train", run_id="training", arguments=[f"--{key}", "2"])
    assert not calls


@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_an_unknown_bundle_is_refused(tmp_path, calls, workflow):
    with pytest.raises(
        FileNotFoundError, match=rf"nowhere is not a bundle, it has no {workflow}.json"
    ):
        run_bundle(tmp_path / "nowhere", workflow, run_id="training")
    assert not calls


@pytest.fixture
def liver(repository):
    return repository / "bundles" / "liver"


@pytest.mark.parametrize("workflow", ["train", "multi_gpu_train", "evaluate", "inference"])
def test_mlflow_passes_with_its_settings(liver, calls, workflow):
    pytest.importorskip("mlflow")
    arguments = ["--tracking", "mlflow", "--experiment_name", "liver", "--run_name", "7"]
    run_bundle(liver, workflow, run_id="run", arguments=arguments)
    assert calls[0]["tracking"] == "mlflow"
    assert calls[0]["experiment_name"] == "liver"


def test_settings_of_mlflow_are_refused_without_it(liver, calls):
    with pytest.raises(ValueError, match="--experiment_name is not a key"):
        run_bundle(liver, "train", run_id="training", arguments=["--experiment_name", "liver"])
    assert not calls


def test_mlflow_attaches_to_both_engines_of_a_training(liver):
    off = {"tracking": "mlflow", "save_execute_config": False, "logging_file": False}
    parser = ConfigWorkflow(str(liver / "train.json"), **off).parser
    for handlers in ("train#handlers", "validate#handlers"):
        assert parser[handlers][-1]["_target_"] == "MLFlowHandler"


@pytest.fixture
def writing(tmp_path):
    """A bundle whose folders of outputs are worked out by expressions."""
    root = tmp_path / "writing"
    root.mkdir()
    config = {
        **{"name": "toy", "bundle_root": ".", "input": "in", "run": []},
        **{"output_dir": "$'runs/' + @name", "weights": "$@bundle_root + '/models/model.pt'"},
    }
    for workflow in ("train", "evaluate", "inference"):
        (root / f"{workflow}.json").write_text(json.dumps(config))
    return root


@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
@pytest.mark.parametrize("arguments", [["--output_dir", "runs/toy"], []], ids=["stated", "config"])
def test_outputs_that_cannot_be_written_are_refused_before_anything_runs(
    writing, calls, tmp_path, monkeypatch, workflow, arguments
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    told = rf"^runs/toy cannot be written to \({tmp_path}/runs is not a folder\)"
    with pytest.raises(NotADirectoryError, match=told):
        run_bundle(writing, workflow, run_id="run", arguments=arguments)
    assert not calls
    (tmp_path / "runs").unlink()
    run_bundle(writing, workflow, run_id="run", arguments=arguments)
    assert len(calls) == 1
    assert not (tmp_path / "runs").exists()


def test_a_training_is_refused_where_its_weights_cannot_be_written(
    writing, calls, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (writing / "models").touch()
    with pytest.raises(NotADirectoryError, match="models cannot be written to"):
        run_bundle(writing, "train", run_id="run")
    assert not calls
    run_bundle(writing, "evaluate", run_id="run")  # it reads them alone
    assert len(calls) == 1


def test_an_input_that_is_not_there_is_refused(writing, calls, tmp_path):
    arguments = ["--input", str(tmp_path / "no.nii")]
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*no\.nii: name a study"):
        run_bundle(writing, "inference", run_id="run", arguments=arguments)
    assert not calls


def test_outputs_in_the_folder_of_the_inputs_are_refused(writing, calls, tmp_path):
    arguments = ["--input", str(tmp_path), "--output_dir", str(tmp_path)]
    with pytest.raises(ValueError, match="is the folder of the inputs: write to another folder"):
        run_bundle(writing, "inference", run_id="run", arguments=arguments)
    assert not calls


@pytest.mark.parametrize("config_hours", [None, 0.2])
def test_epochs_beside_hours_are_refused(bundle, calls, config_hours):
    (bundle / "train.json").write_text(json.dumps({**CONFIG, "hours": config_hours}))
    words = ["--max_epochs", "2"]
    if config_hours is None:
        run_bundle(bundle, "train", run_id="training", arguments=words)
        words += ["--hours", "0.2"]
    with pytest.raises(ValueError, match=r"hours is 0.2, and hours set the epochs: leave --max"):
        run_bundle(bundle, "train", run_id="training", arguments=words)
    run_bundle(bundle, "train", run_id="training", arguments=["--max_epochs=2", "--hours=None"])
