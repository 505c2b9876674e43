"""Merge: the config that several files make together; each changes what those before it hold.

The files are layers, or the configs of a bundle that MONAI runs together.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

OVERLAY = "multi_gpu_train"
"""The config that follows that of the training: what differs if several processes train."""

CONFIG_NAMES = ("train", OVERLAY, "evaluate", "inference")
"""The configs of a bundle, each a file in its folder `configs`."""


def merge_configs(paths: Iterable[Path]) -> dict[str, Any]:
    """The config that several files make together, given to MONAI in this order."""
    from monai.bundle import ConfigParser

    return ConfigParser.load_config_files([str(path) for path in paths])


def merge_layers(files: Iterable[Path], workflow: str) -> dict[str, Any]:
    """The config that layers make for a workflow; each changes what those before it hold.

    Keys are merged as MONAI merges several configs: a key replaces one of the same name, `a#b` a
    part of it, and `+a` adds to a list or dictionary. `-a` takes the listed parts out of it. Under
    `_only_` are keys for some of the workflows, such as "evaluate, inference"; they are merged
    after the others of their file.

    Raises:
        ValueError: `_only_` names no workflow, or a key changes what no earlier layer holds, or
            what cannot be changed so.
    """
    from monai.bundle import ConfigParser

    config = ConfigParser({})
    for file in files:
        for key, value in (*read_section(file), *read_section(file, workflow)):
            changed = key[1:] if key[0] in "+-" else key.rpartition("#")[0]
            if changed and changed not in config:
                raise ValueError(
                    f"{file}: {key} changes what no earlier layer holds: correct the key, or name "
                    "the layer that holds it before this one"
                )
            try:
                _merge_key(config, key, value)
            except (KeyError, TypeError, ValueError) as error:  # a part of another kind, or gone
                raise ValueError(f"{file}: {key} cannot be merged ({error}): correct it") from error
    return config.get()


def _merge_key(config: "ConfigParser", key: str, value: Any) -> None:
    """Change a config by one key of a layer."""
    from monai.bundle.utils import merge_kv

    if not key.startswith("-"):
        merge_kv(config, key, value)
        return
    for part in value:
        del config[key[1:]][part]


def read_section(file: Path, workflow: str | None = None) -> Iterator[tuple[str, Any]]:
    """The keys of a layer with their values.

    Args:
        file: the layer.
        workflow: give the keys that are for this one; None for those outside of `_only_`.

    Raises:
        ValueError: `_only_` names no workflow.
    """
    content = json.loads(file.read_text())
    sections = content.pop("_only_", {})
    if not (isinstance(sections, dict) and all(isinstance(s, dict) for s in sections.values())):
        raise ValueError(f"{file}: _only_ must hold workflows and the keys for each: correct it")
    content.pop("_layers_", None)
    if workflow is None:
        yield from content.items()
    for names, section in sections.items():
        if unknown := {*names.split(", ")} - {*CONFIG_NAMES}:
            known = ", ".join(CONFIG_NAMES)
            raise ValueError(f"{file}: _only_ names {min(unknown)!r}: name some of {known}")
        if workflow in names.split(", "):
            yield from section.items()
