"""Tests of medseg.bundles.tracking: the keys that tracking adds, and what would track nothing.

When MLflow may be imported is tested with `medseg.cli.start_up`.
"""

import importlib.util
import json

import pytest

from medseg.bundles.tracking import choose_tracking_keys

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
