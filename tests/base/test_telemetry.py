"""Tests of medseg.base.telemetry: nothing reports about itself once medseg is imported."""

import importlib
import os
import sys
from types import SimpleNamespace

import pytest

from medseg.base.telemetry import turn_off

SETTINGS = ("MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY")
LOADED = (
    *("openvino_telemetry", "mlflow.telemetry.client", "huggingface_hub.constants"),
    "onnxruntime",
)


@pytest.fixture(autouse=True)
def _modules_as_they_were(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name in LOADED:
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))
        monkeypatch.delitem(sys.modules, name)


def test_openvino_cannot_import_its_telemetry():
    turn_off()
    with pytest.raises(ImportError):
        importlib.import_module("openvino_telemetry")


def test_telemetry_that_openvino_has_imported_already_is_replaced_by_its_idle_class(monkeypatch):
    reporting, idle = SimpleNamespace(Telemetry="reports"), SimpleNamespace(Telemetry="idle")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", reporting)
    for name in ("openvino", "openvino.tools", "openvino.tools.ovc"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "openvino.tools.ovc.telemetry_stub", idle)
    turn_off()
    assert reporting.Telemetry == "idle"


def test_mlflow_that_was_imported_already_asks_the_environment_again(monkeypatch):
    asked = []
    monkeypatch.setitem(
        sys.modules,
        "mlflow.telemetry.client",
        SimpleNamespace(
            set_telemetry_client=lambda: asked.append(os.environ["MLFLOW_DISABLE_TELEMETRY"])
        ),
    )
    turn_off()
    assert asked == ["true"]


def test_a_wish_of_the_environment_to_report_does_not_count(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    turn_off()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_hub_of_encoders_is_told_whether_imported_before_or_after(monkeypatch):
    constants = SimpleNamespace(HF_HUB_DISABLE_TELEMETRY=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    turn_off()
    assert constants.HF_HUB_DISABLE_TELEMETRY is True
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_onnx_runtime_is_told_whether_imported_before_or_after(monkeypatch):
    told = []
    idle = SimpleNamespace(disable_telemetry_events=lambda: told.append("off"))
    monkeypatch.setitem(sys.modules, "onnxruntime", idle)
    turn_off()
    assert told == ["off"]
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
