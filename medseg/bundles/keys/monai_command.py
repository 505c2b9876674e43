"""MONAI command: check the overrides of `python -m monai.bundle run` against the config.

MONAI silently accepts an override that is not a key, and it has no effect. A config can refuse it
nevertheless: its `initialize` calls `check_monai_command`. This finds the arguments of the command
in the frames of the caller, as MONAI passes a config neither them nor its own text.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medseg.bundles.layers.references import find_references
from medseg.bundles.overrides import PASSED_ON, check_overrides, suggest_key
from medseg.bundles.tracking import choose_tracking_keys

_OF_MONAI = (*PASSED_ON, "run_id", "config_file", "workflow_type", "properties_path")
_IDS = ("run", "run_id", "initialize", "init_id", "finalize", "final_id", "imports")


def check_monai_command() -> None:
    """Refuse overrides that name no key of the config, or have a value of another kind.

    With several config files the later ones are overrides too: a key that the first does not have,
    and that nothing refers to, is refused. Nothing is checked where another program than MONAI's
    command runs the config.

    Raises:
        ValueError: such an override, or one of None, which MONAI ignores.

    Example:
        >>> check_monai_command()
    """
    if not _is_monai_command():
        return
    files, given, ignored = _find_arguments()
    if not files:
        return
    from monai.bundle import ConfigParser

    config = ConfigParser.load_config_files(files)
    known = config
    if tracking := given.get("tracking"):
        known = {**choose_tracking_keys(tracking, config), **config}
    _check_files(files, config, ids=[given.get(key, key) for key in _IDS])
    overrides = {
        key.replace("::", "#"): value for key, value in given.items() if key not in _OF_MONAI
    }
    check_overrides(overrides, known, config_file=Path(files[0]))
    for key in ignored:
        if config.get(key.replace("::", "#")) is not None:
            raise ValueError(
                f"override --{key} is None, which MONAI ignores, so that the config's own value "
                f"would count: write --{key} '$None'"
            )


def _is_monai_command() -> bool:
    """Whether this process is `python -m monai.bundle`, or `torchrun -m monai.bundle`."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return getattr(spec, "name", None) == "monai.bundle.__main__"


def _find_arguments() -> tuple[list[str], Mapping[str, Any], list[str]]:
    """The config files, the other arguments, and the names of those that MONAI drops as None."""
    files: list[str] = []
    given: Mapping[str, Any] = {}
    ignored: list[str] = []
    from medseg.engines.config_in_use import walk_callers  # it brings torch

    for frame in walk_callers():
        if frame.f_globals.get("__name__") == "monai.bundle.scripts":
            found = frame.f_locals
            if frame.f_code.co_name == "create_workflow":
                files, given = _list_files(found["config_file"]), found["_args"]
            ignored += [key for key, value in found.get("override", {}).items() if value is None]
    return files, given, ignored


def _list_files(config_file: Any) -> list[str]:
    """The config files that an argument names, one or several; none where it names no file."""
    if isinstance(config_file, str):
        return [config_file]
    return [str(file) for file in config_file] if isinstance(config_file, list | tuple) else []


def _check_files(files: Iterable[str], config: Mapping[str, Any], *, ids: list[Any]) -> None:
    """Refuse keys of later files that the first does not have and that nothing refers to."""
    from monai.bundle import ConfigParser

    first, *others = files
    known = ConfigParser.load_config_file(first)
    used = find_references(config) | set(map(str, ids))
    for file in others:
        added = ConfigParser.load_config_file(file)
        if "_generated_" in added:  # a config of a bundle, which has its own workflow
            continue
        for key in added:
            top = key.lstrip("+~").replace("::", "#").partition("#")[0]
            if not (top in known or top in used or top.startswith("_")):
                raise ValueError(
                    f"{file}: {key} is not a key of {first}, and nothing uses it: "
                    + suggest_key(top, list(known))
                )
