"""Bundle of a run: the files that make the folder of a training run a bundle of its own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medseg.base.path_keys import escape_for_monai
from medseg.bundles.build import WORKFLOWS
from medseg.bundles.bundle import find_configs
from medseg.bundles.derive import write_derived
from medseg.bundles.layers.merge import OVERLAY, merge_configs
from medseg.bundles.layers.references import find_references, list_choices
from medseg.engines.changeable_settings import is_launch

PLACES = ("bundle_root", "output_dir", "resume_file", "weights", "resume")
"""Keys that a run's own configs take from its bundle: they say where the run itself was written."""

_MACHINE = ("device", "backend", "num_workers", "cache", "cache_dir", "checkpointing")
"""Keys of how the training ran on its machine; a segmentation with its weights chooses anew."""


def write_run_bundle(bundle: Path, run: Path, config: Mapping[str, Any]) -> None:
    """Write the files of a run that make it a bundle, all except the weights.

    Args:
        bundle: folder of the bundle that is trained.
        run: folder of the run.
        config: the config as it runs.

    Raises:
        FileNotFoundError: the bundle lacks a file.
    """
    overlay = _replace_macros(_read_config(bundle, OVERLAY)) if "backend" in config else {}
    trained = merge_configs(find_configs(bundle, OVERLAY if overlay else "train"))
    changed = {
        key: _leave_out(value, overlay.get(f"+{key}", []))
        for key, value in _find_changes(_replace_macros(trained), config)
        if _name(key) not in PLACES and not is_launch(_name(key))
    }
    changes = {
        OVERLAY: {key: value for key, value in changed.items() if key in overlay},
        "train": {key: value for key, value in changed.items() if key not in overlay},
    }
    for name in set(WORKFLOWS) - {"train"}:
        changes[name] = _choose_shared(changed, trained, _read_config(bundle, name))
    for name in WORKFLOWS:
        changes[name] |= place_run(run)
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


def _replace_macros(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config as MONAI reads it, as a running config is."""
    parser = ConfigParser(dict(config))
    parser.parse()
    return parser.get()


def _find_changes(
    shipped: Mapping[str, Any], config: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any]]:
    """The keys of a running config with another value than in the bundle, if they are plain.

    A component that differs in some keys, or has more, is named by those: `optimizer#lr`.
    """
    for key, value in config.items():
        if not above and key not in shipped:
            continue
        before: Any = shipped.get(key)
        place = f"{above}{key}"
        if _is_component(before) and isinstance(value, Mapping) and before.keys() <= value.keys():
            yield from _find_changes(before, value, f"{place}#")
        elif _is_json(value) and (key not in shipped or json.dumps(value) != json.dumps(before)):
            yield place, value


def _is_component(value: Any) -> bool:
    """Whether a value has parts that can be named; a dictionary of classes has none."""
    return isinstance(value, Mapping) and '"_target_"' in json.dumps(value)


def _leave_out(value: Any, added: Sequence[Any]) -> Any:
    """A list without the items that the overlay adds again."""
    return [item for item in value if item not in added] if added else value


def _name(key: str) -> str:
    return key.partition("#")[0]


def _choose_shared(
    changed: Mapping[str, Any], trained: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, Any]:
    """The changes that concern another config: choices, and components that both share."""
    choices = list_choices(trained)
    return {
        key: value
        for key, value in changed.items()
        if _name(key) in other
        and key not in _MACHINE
        and (key in choices or other[_name(key)] == trained[_name(key)])
        and find_references(value) <= set(other)
    }


def place_run(run: Path) -> dict[str, str]:
    """The key by which the configs of a run find their folder, wherever it is moved."""
    name = escape_for_monai(run.resolve().name)[1:]
    return {"bundle_root": f"$medseg.bundles.find(@name, run={name})"}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
