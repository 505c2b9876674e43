"""Check task: what is wrong with a task file, held against the layers that it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medseg.base.choices import RULES, check_choices
from medseg.base.choices.safeguards import find_near_key
from medseg.bundles.layers.references import find_missing, keep_used
from medseg.bundles.override_values import convert_value, is_component

Configs = Mapping[str, Mapping[str, Any]]

LAYERS_OF_KEYS = {"spacing_mm": "resample", "patches_per_volume": "patches"}
"""Keys that a layer uses which any task may add."""

INNER = {"loss": "head_loss"}
"""Components that are built round the one that a person means."""


def find_task_faults(task: Mapping[str, Any], below: Configs, built: Configs) -> Iterator[str]:
    """What is wrong with a task, one line each, without the same cause twice.

    A key of its own is right where another key that is used refers to it.

    Args:
        task: content of the task file.
        below: workflow -> what its layers make without the task.
        built: workflow -> what they make with it, without the keys that nothing uses.
    """
    missing = {key: workflow for workflow in built for key in find_missing(built[workflow])}
    known = {
        *missing,
        *(key for configs in (below, built) for one in configs.values() for key in one),
    }
    wrong = [] if missing else list(dict.fromkeys(_list_wrong_values(task, below, built)))
    hidden = _list_hidden([key for key, _ in wrong if key], task, below)
    names = [name for name in _list_lost(task, built) if name not in hidden]
    lost = {name: _find_meant(name, known) for name in names}
    for name, meant in lost.items():
        yield f"{name} is used by no config of this task: {_name_remedy(name, meant)}"
    for key in sorted({*missing} - {*lost.values()}):
        yield f"{key} is missing, and {missing[key]} needs it: put it back"
    yield from dict.fromkeys(fault for _, fault in wrong)


def _list_keys(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys of a task as they are written, also those for some workflows alone."""
    for key, value in task.items():
        if key == "_only_":
            for section in value.values():
                yield from section.items()
        elif key != "_layers_":
            yield key, value


def _list_lost(task: Mapping[str, Any], built: Configs) -> list[str]:
    """The keys of a task that no config uses."""
    names = dict.fromkeys(key.lstrip("+-").split("#")[0] for key, _ in _list_keys(task))
    return [name for name in names if not any(name in config for config in built.values())]


def _list_hidden(wrong: Iterable[str], task: Mapping[str, Any], below: Configs) -> set[str]:
    """The keys that a task would use if those with a wrong value were as in the layers."""
    given = dict(_list_keys(task))
    roots = [key.split("#")[0] for key in wrong]
    return {key for config in below.values() for key in keep_used({**given, **config}, roots)}


def _name_remedy(name: str, meant: str | None) -> str:
    """What to do about a key that no config uses."""
    if meant:
        return f"did you mean {meant}?"
    if name in LAYERS_OF_KEYS:
        return f'add the layer "{LAYERS_OF_KEYS[name]}" to _layers_, or take the key out'
    return "take it out, or correct its spelling"


def _find_meant(name: str, known: set[str]) -> str | None:
    """The key that a name was meant to be; None for one that is right, and of another task."""
    return None if name in RULES else find_near_key(name, sorted(known - {name}))


def _list_wrong_values(
    task: Mapping[str, Any], below: Configs, built: Configs
) -> Iterator[tuple[str, str]]:
    """Keys of another kind than those of the layers, "" where a rule is broken; and the fault."""
    for config in built.values():
        try:
            check_choices(config)
        except ValueError as error:
            yield "", str(error)
    for key, value in _list_keys(task):
        for config in below.values():
            if key not in RULES and key.split("#")[0] in config:
                try:
                    _check_value(key, value, config)
                except ValueError as error:
                    yield key, str(error)


def _check_value(key: str, value: Any, config: Mapping[str, Any]) -> None:
    """Refuse a value of another kind; where a component holds the one that is meant, name that."""
    inner = INNER.get(key, "")
    try:
        convert_value(key, value, config, called=key)
    except ValueError:
        if inner not in config or is_component(value):
            raise
        try:
            convert_value(inner, value, config, called=inner)
        except ValueError as error:
            raise ValueError(
                f"{key} is built round {inner}, write that key instead: {error}"
            ) from None
        raise
