"""Tests of medseg.bundles.tracking: what tracking adds, and when MLflow may be imported."""

import importlib.util
import json
import sys
from importlib.util import find_spec

import pytest
from cli.commands import run_python

from medseg.bundles.tracking import allow_mlflow, choose_tracking_keys, hide_mlflow

CONFIG = {"train": {"trainer": {"max_epochs": 2}, "handlers": [{"interval": 1}]}}


def test_mlflow_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs MLflow: pip install 'medseg\[tracking\]'"):
        choose_tracking_keys("mlflow", CONFIG)


def test_tracking_that_is_no_file_is_refused():
    with pytest.raises(ValueError, match="--tracking mlfow is not a settings file"):
        choose_tracking_keys("mlfow", CONFIG)


def test_a_settings_file_gives_its_keys(tmp_path):
    engine = {"id": "train#trainer", "handlers": "train#handlers"}
    settings = {"handlers_id": {"trainer": engine}, "configs": {"trainer": {}, "uri": "x"}}
    (tmp_path / "track.json").write_text(json.dumps(settings))
    assert choose_tracking_keys(str(tmp_path / "track.json"), CONFIG) == {"uri": "x"}


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
        choose_tracking_keys(str(tmp_path / "track.json"), CONFIG)


@pytest.fixture
def not_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # so that it is put back afterwards
    del sys.modules["mlflow"]


@pytest.mark.parametrize("word", ["--tracking", "--tracking=mlflow"])
def test_mlflow_stays_where_tracking_is_asked_for(not_imported, word):
    hide_mlflow(["medseg", "train", word])
    assert "mlflow" not in sys.modules


def test_mlflow_is_put_off_until_a_config_names_it(not_imported):
    hide_mlflow(["medseg", "train", "--tracking_uri", "tracking"])
    with pytest.raises(ImportError):
        import mlflow  # noqa: F401
    assert find_spec("mlflow") is None
    allow_mlflow({"handlers": ["TensorBoardHandler"]})
    assert sys.modules["mlflow"] is None
    for _ in range(2):
        allow_mlflow({"handlers": [{"_target_": "MLFlowHandler"}]})
        assert "mlflow" not in sys.modules


def test_what_is_imported_already_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", loaded := object())
    hide_mlflow([])
    allow_mlflow({"a": "mlflow"})
    assert sys.modules["mlflow"] is loaded


@pytest.mark.long
@pytest.mark.parametrize("config", ["", '{"handler": "MLFlowHandler"}'])
def test_a_command_imports_monai_without_mlflow_unless_its_config_names_it(config, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text(config or '{"a": 1}')
    code = f"""
import sys
from medseg.cli import app
sys.argv = ["medseg", "train", "-b", {str(tmp_path)!r}]
try:
    app.main()
except BaseException:  # the config runs nothing
    pass
print("monai.handlers" in sys.modules, sys.modules.get("mlflow") is not None)
"""
    assert run_python(code).stdout.splitlines()[-1] == f"True {bool(config)}"
