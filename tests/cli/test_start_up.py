"""Tests of medseg.cli.start_up: MLflow is imported where a run is tracked, and only there."""

import sys
from importlib.util import find_spec

import pytest
from cli.commands import run_python

from medseg.bundles.tracking import allow_mlflow
from medseg.cli.start_up import put_off_mlflow


@pytest.fixture
def not_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # so that it is put back afterwards
    del sys.modules["mlflow"]


@pytest.mark.parametrize("word", ["--tracking", "--tracking=mlflow"])
def test_mlflow_stays_where_tracking_is_asked_for(not_imported, word):
    put_off_mlflow(["medseg", "train", word])
    assert "mlflow" not in sys.modules


def test_mlflow_is_put_off_until_a_config_names_it(not_imported):
    put_off_mlflow(["medseg", "train", "--tracking_uri", "tracking"])
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
    put_off_mlflow([])
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
