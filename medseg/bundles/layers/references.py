"""References: which keys of a config use which others, and which of them a user chooses."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from medseg.base.choices import EXPRESSION_MARKS

CHOICES = "choices"
"""Key that `build` adds to a config that refers to it: all its choices, so that none is missed."""
_REFERENCE = re.compile(r"[@%]([A-Za-z_]\w*)")


def find_references(value: Any) -> set[str]:
    """Top-level ids that a config value refers to by `@id` or `%id`; plain text refers to none."""
    if isinstance(value, str):
        return set(_REFERENCE.findall(value)) if value.startswith(EXPRESSION_MARKS) else set()
    if isinstance(value, Mapping):
        value = value.values()
    return set().union(*map(find_references, value)) if isinstance(value, Iterable) else set()


def find_missing(config: Mapping[str, Any]) -> list[str]:
    """Top-level ids that a config refers to and does not have, sorted.

    Example:
        >>> find_missing({"rate": "@learning_rate", "steps": "$@epochs * 2", "epochs": 3})
        ['learning_rate']
    """
    return sorted(find_references(config) - set(config))


def list_choices(config: Mapping[str, Any]) -> list[str]:
    """The top-level keys whose value is plain, or is made of such keys without a call, in order.

    They are what a user chooses; the others are wiring: components, and expressions that call.

    Example:
        >>> list_choices({"name": "a", "output_dir": "$'runs/' + @name", "device": "$f()"})
        ['name', 'output_dir']
    """
    found: list[str] = []
    while True:
        more = [k for k, v in config.items() if k not in found and _is_choice(k, v, found)]
        if not more:
            return [key for key in config if key in found]
        found += more


def _is_choice(key: str, value: Any, found: Iterable[str]) -> bool:
    if key in (CHOICES, "imports", "_generated_"):
        return False
    if is_wiring(value):
        made_of = find_references(value)
        return isinstance(value, str) and "(" not in value and set() < made_of <= set(found)
    return True


def is_wiring(value: Any) -> bool:
    text = json.dumps(value)
    return bool(find_references(value)) or '"_target_"' in text or '"$' in text


def find_unused(config: Mapping[str, Any], roots: Iterable[str]) -> list[str]:
    """Top-level keys of a config that the keys `roots` use neither directly nor indirectly."""
    return sorted(set(config) - set(keep_used(config, roots)) - {"_generated_", "_meta_"})


def keep_used(config: Mapping[str, Any], roots: Iterable[str]) -> dict[str, Any]:
    """The keys that `roots` use, directly or indirectly, and the imports."""
    todo, reached = [root for root in roots if root in config], set()
    while todo:
        key = todo.pop()
        if key not in reached:
            reached.add(key)
            if key == CHOICES:  # it names every choice, which uses none
                continue
            todo += [ref for ref in find_references(config[key]) if ref in config]
    return {key: value for key, value in config.items() if key in (*reached, "imports")}
