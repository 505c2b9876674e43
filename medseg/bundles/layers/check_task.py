"""Check task: what is wrong with a task file, held against the layers that it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medseg.base.choices import RULES, check_choices
from medseg.base.choices.safeguards import find_near_key
from medseg.bundles.layers.references import find_missing
from medseg.bundles.override_values import convert_value

Configs = Mapping[str, Mapping[str, Any]]


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
    lost = {name: _find_meant(name, known) for name in _list_lost(task, built)}
    for name, meant in lost.items():
        remedy = f"did you mean {meant}?" if meant else "take it out, or correct its spelling"
        yield f"{name} is used by no config of this task: {remedy}"
    for key in sorted({*missing} - {*lost.values()}):
        yield f"{key} is missing, and {missing[key]} needs it: put it back"
    if not missing:
        yield from dict.fromkeys(_list_wrong_values(task, below, built))


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


def _find_meant(name: str, known: set[str]) -> str | None:
    """The key that a name was meant to be; None for one that is right, and of another task."""
    return None if name in RULES else find_near_key(name, sorted(known - {name}))


def _list_wrong_values(task: Mapping[str, Any], below: Configs, built: Configs) -> Iterator[str]:
    """Values that break a rule, or are of another kind than those of the layers."""
    for config in built.values():
        try:
            check_choices(config)
        except ValueError as error:
            yield str(error)
    for key, value in _list_keys(task):
        for config in below.values():
            if key not in RULES and key.split("#")[0] in config:
                try:
                    convert_value(key, value, config, called=key)
                except ValueError as error:
                    yield str(error)
