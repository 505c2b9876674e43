"""Tests of medseg.run: overrides are read as in a config file; unknown ones are refused."""

import json

import pytest
from monai.bundle import ConfigWorkflow

from medseg import run as module
from medseg.run import check_key, parse_overrides, run_bundle, tracking_keys

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
    monkeypatch.setattr(module, "run", lambda **arguments: calls.append(arguments))
    return calls


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-5", -5),
        ("-1e-3", -1e-3),
        ("[-100, 240]", [-100, 240]),
        ("(96, 96)", (96, 96)),
        ("true", True),
        ("false", False),
        ("null", None),
        ("True", True),
        ("None", None),
        ("[true, null]", [True, None]),
        ('{"liver": [1]}', {"liver": [1]}),
        ("{'liver': [1], 'tumour': [2]}", {"liver": [1], "tumour": [2]}),
        ("unet_plusplus", "unet_plusplus"),
        ("runs/liver-1", "runs/liver-1"),
        ("'3'", "3"),
        ("@learning_rate", "@learning_rate"),
        ("$2 * @fold", "$2 * @fold"),
        ("", ""),
    ],
)
def test_values_are_json_else_python_else_text(text, value):
    for arguments in (["--key", text], [f"--key={text}"]):
        parsed = parse_overrides(arguments)["key"]
        assert parsed == value
        assert type(parsed) is type(value)


def test_no_argument_is_no_override():
    assert parse_overrides([]) == {}


def test_both_separators_of_nested_keys_are_one():
    assert parse_overrides(["--a#b", "1", "--a::c", "2"]) == {"a#b": 1, "a#c": 2}


def test_a_value_may_hold_an_equals_sign():
    assert parse_overrides(["--a=b=c", "--d", "e=f"]) == {"a": "b=c", "d": "e=f"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["max_epochs", "3"], r"'max_epochs' is no override: write --key value"),
        (["-e", "3"], r"'-e' is no override"),
        (["--max_epochs"], r"override --max_epochs has no value"),
        (["--max_epochs", "--fold", "1"], r"override --max_epochs has no value"),
        (["--fold", "1", "--fold=2"], r"override --fold is given twice"),
        (["--a#b", "1", "--a::b", "2"], r"override --a#b is given twice"),
        (["--fold", "1", "2"], r"'2' is no override"),
    ],
)
def test_what_is_no_override_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        parse_overrides(arguments)


@pytest.mark.parametrize("key", ["max_epochs", "train#trainer#max_epochs", "train#handlers#0"])
def test_an_existing_key_passes(key, tmp_path):
    assert check_key(key, CONFIG, config_file=tmp_path / "train.json") is None  # or it raises


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("max_epoch", "max_epochs"),
        ("epochs", "max_epochs"),
        ("trainer#max_epochs", "train"),
        ("train#trainer#max_epoch", "train#trainer#max_epochs"),
        ("train#handlers#1", "train#handlers#0"),
        ("classes#tumour", "classes#liver"),
        ("max_epochs#first", "max_epochs"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key, nearest, tmp_path):
    config_file = tmp_path / "train.json"
    with pytest.raises(ValueError, match=rf"--{key} names no key of .* nearest is {nearest}$"):
        check_key(key, CONFIG, config_file=config_file)


def test_monai_runs_the_flat_config_with_the_overrides(bundle, calls):
    run_bundle(bundle, "train", run_id="training", arguments=["--max_epochs", "2"])
    assert calls == [
        {
            "run_id": "training",
            "config_file": str(bundle / "train.json"),
            "max_epochs": 2,
            "bundle_root": str(bundle),
        }
    ]


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


def test_the_bundle_root_can_be_overridden(bundle, calls):
    run_bundle(bundle, "train", run_id="training", arguments=["--bundle_root", "elsewhere"])
    assert calls[0]["bundle_root"] == "elsewhere"


def test_arguments_of_monai_pass(bundle, calls):
    run_bundle(bundle, "train", run_id="training", arguments=["--logging_file", "my.conf"])
    assert calls[0]["logging_file"] == "my.conf"


@pytest.mark.parametrize("key", ["max_epoch", "run_id", "config_file", "args_file"])
def test_nothing_runs_after_an_unknown_override(bundle, calls, key):
    with pytest.raises(ValueError, match=f"--{key} names no key"):
        run_bundle(bundle, "train", run_id="training", arguments=[f"--{key}", "2"])
    assert not calls


@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_an_unknown_bundle_is_refused(tmp_path, calls, workflow):
    with pytest.raises(
        FileNotFoundError, match=rf"nowhere is no bundle, it has no {workflow}.json"
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
    with pytest.raises(ValueError, match="--experiment_name names no key"):
        run_bundle(liver, "train", run_id="training", arguments=["--experiment_name", "liver"])
    assert not calls


def test_mlflow_attaches_to_both_engines_of_a_training(liver):
    off = {"tracking": "mlflow", "save_execute_config": False, "logging_file": False}
    parser = ConfigWorkflow(str(liver / "train.json"), **off).parser
    for handlers in ("train#handlers", "validate#handlers"):
        assert parser[handlers][-1]["_target_"] == "MLFlowHandler"


def test_mlflow_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs MLflow: pip install 'medseg\[tracking\]'"):
        tracking_keys("mlflow", CONFIG)


def test_tracking_that_is_no_file_is_refused():
    with pytest.raises(ValueError, match="--tracking mlfow is no settings file"):
        tracking_keys("mlfow", CONFIG)


def test_a_settings_file_gives_its_keys(tmp_path):
    engine = {"id": "train#trainer", "handlers": "train#handlers"}
    settings = {"handlers_id": {"trainer": engine}, "configs": {"trainer": {}, "uri": "x"}}
    (tmp_path / "track.json").write_text(json.dumps(settings))
    assert tracking_keys(str(tmp_path / "track.json"), CONFIG) == {"uri": "x"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"handlers_id": {"trainer": {"id": "trainer"}}, "configs": {"trainer": {}}},
        {"handlers_id": {"trainer": {"id": "train#trainer"}}, "configs": {}},
    ],
)
def test_tracking_that_would_record_nothing_is_refused(tmp_path, settings):
    (tmp_path / "track.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="nothing would be recorded"):
        tracking_keys(str(tmp_path / "track.json"), CONFIG)
