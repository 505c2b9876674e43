"""Bundle of a run: the files that make the folder of a training run a bundle of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medseg.base.path_keys import escape_for_monai
from medseg.bundles.build import WORKFLOWS, find_references, list_choices
from medseg.bundles.derive import write_derived
from medseg.engines.may_change import is_launch

PLACES = ("bundle_root", "output_dir", "resume_file", "weights", "resume")
"""Keys that a run's own configs take from its bundle: they say where the run itself was written."""

_MACHINE = ("device", "backend", "num_workers", "cache", "cache_dir", "checkpointing")
"""Keys that say how the training ran on its machine; segmenting with its weights asks anew."""


def write_run_bundle(bundle: Path, run: Path, config: Mapping[str, Any]) -> None:
    """Write the files of a run that make it a bundle, all but the weights.

    Args:
        bundle: folder of the bundle that is trained.
        run: folder of the run.
        config: the config as it runs.

    Raises:
        FileNotFoundError: the bundle lacks a file.
    """
    workflow = "multi_gpu_train" if "backend" in config else "train"
    shipped = {name: _read_config(bundle, name) for name in WORKFLOWS}
    changed = {
        key: value
        for key, value in _find_changes(shipped[workflow], config).items()
        if key not in PLACES and not is_launch(key)
    }
    changes: dict[str, dict[str, Any]] = {}
    for name, config_there in shipped.items():
        carried = changed
        if not name.endswith("train"):
            carried = _choose_shared(changed, shipped[workflow], config_there)
        changes[name] = {**carried, "bundle_root": _find_run(run)}
    changes["evaluate"]["output_dir"] = "$@bundle_root + '/evaluation'"
    write_derived(
        bundle,
        run,
        changes=changes,
        note=f"trained by medseg train, bundle {config.get('name')}",
        title=f"run {run.name}",
    )


def _read_config(bundle: Path, workflow: str) -> dict[str, Any]:
    file = bundle / "configs" / f"{workflow}.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def _find_changes(shipped: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level keys of a running config that are not as shipped, if they are plain."""
    parser = ConfigParser(dict(shipped))
    parser.parse()  # replaces macros, as in the running config
    before = parser.get()
    return {
        key: value
        for key, value in config.items()
        if key in shipped and value != before[key] and _is_json(value)
    }


def _choose_shared(
    changed: Mapping[str, Any], trained: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, Any]:
    """The changes that concern another config: choices, and components that both share."""
    choices = list_choices(trained)
    return {
        key: value
        for key, value in changed.items()
        if key in other
        and key not in _MACHINE
        and (key in choices or other[key] == trained[key])
        and find_references(value) <= set(other)
    }


def _find_run(run: Path) -> str:
    return f"$medseg.bundles.find(@name, run={escape_for_monai(run.resolve().name)[1:]})"


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
