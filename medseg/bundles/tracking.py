"""Tracking: what `--tracking` adds to a run, and MLflow where a config names it."""

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def hide_mlflow(words: Sequence[str]) -> None:
    """Make MLflow appear not installed, unless the command asks for `--tracking`.

    MONAI imports every package that it knows, and MLflow takes more than a second. A bundle whose
    config names MLflow gets it, see `allow_mlflow`. Nothing is changed where it is imported
    already.

    Args:
        words: of the command line.

    Example:
        >>> hide_mlflow(["medseg", "train", "--tracking", "mlflow"])
    """
    if not any(word.partition("=")[0] == "--tracking" for word in words):
        sys.modules.setdefault("mlflow", None)  # type: ignore[arg-type]


def allow_mlflow(config: Mapping[str, Any]) -> None:
    """Let MLflow be imported where a config names it, if `hide_mlflow` has hidden it.

    It must come before the import of MONAI, which looks for MLflow once.
    """
    if sys.modules.get("mlflow", sys) is None and "mlflow" in json.dumps(config).lower():
        del sys.modules["mlflow"]


def choose_tracking_keys(tracking: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys that `--tracking` adds to a config.

    Args:
        tracking: "mlflow", or a file of settings in the form of MONAI's
            `monai.bundle.utils.DEFAULT_MLFLOW_SETTINGS`.
        config: the config that is tracked.

    Raises:
        ValueError: no such settings, none of their engines is in the config, so that nothing would
            be recorded, or MLflow is not installed.
    """
    from monai.bundle import ConfigParser
    from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

    settings = DEFAULT_EXP_MGMT_SETTINGS.get(str(tracking))
    if settings is None:
        if not Path(str(tracking)).is_file():
            raise ValueError(f"--tracking {tracking} is not a settings file: pass mlflow or a file")
        settings = ConfigParser.load_config_file(str(tracking))
    if tracking == "mlflow" and importlib.util.find_spec("mlflow") is None:
        raise ValueError("--tracking mlflow needs MLflow: pip install 'medseg[tracking]'")
    keys, engines = settings.get("configs", {}), settings.get("handlers_id", {})
    parser = ConfigParser(dict(config))
    if not any(name in keys and engine["id"] in parser for name, engine in engines.items()):
        raise ValueError(
            f"--tracking {tracking} names no engine of the config, nothing would be recorded: "
            "its handlers_id must name one, such as train#trainer"
        )
    return {key: value for key, value in keys.items() if key not in engines}
