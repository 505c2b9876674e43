"""Describe: the keys of a config that a user may choose: meaning, type, unit and default.

`meanings.json` beside this module says what each key means, `medseg.base.choices.RULES` what its
value has to be. Nothing heavy is imported.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medseg.base.choices import RULES
from medseg.bundles.layers.references import list_choices
from medseg.bundles.overrides import read_workflow

UNKNOWN = "medseg knows no meaning of this key."


@dataclass(frozen=True)
class Key:
    """A key of one config, each field in words; `unit` is empty where the value has none."""

    key: str
    meaning: str
    type: str
    unit: str
    default: str


@cache
def read_meanings() -> dict[str, dict[str, dict[str, str]]]:
    """Heading -> key -> its "meaning" and, where it has them, "unit" and "default".

    "default" is shown instead of a value that a config works out by a call or a condition.
    """
    return json.loads(Path(__file__).with_name("meanings.json").read_text(encoding="utf-8"))


def list_keys(config: Mapping[str, Any]) -> list[Key]:
    """The keys of a config that a user may choose, in the order of the page of all keys.

    They are its choices, see `medseg.bundles.layers.references.list_choices`, and the keys of
    `meanings.json` that it works out. Those without a meaning, which a bundle of another origin may
    have, come last.

    Example:
        >>> list_keys({"max_epochs": 20})[0].default
        '20'
    """
    entries = {key: entry for part in read_meanings().values() for key, entry in part.items()}
    choices = list_choices(config)
    known = [k for k in entries if k in choices or (k in config and _is_worked_out(config[k]))]
    return [
        _describe(key, config[key], entries.get(key, {}))
        for key in [*known, *(key for key in choices if key not in entries)]
    ]


def list_keys_of_bundle(bundle: Path, workflow: str) -> list[Key]:
    """The same for a workflow of a bundle, "train", "evaluate" or "inference".

    Raises:
        FileNotFoundError: the bundle has no such config.
        ValueError: the config is no JSON object.
    """
    return list_keys(read_workflow(bundle, workflow))


def format_lines(keys: Iterable[Key]) -> Iterator[str]:
    """Two lines for each key: `key = default`, and what it means and has to be.

    Example:
        >>> list(format_lines([Key("fold", "Which fold is used.", "a whole number", "", "0")]))
        ['fold = 0', '    Which fold is used. Type: a whole number.']
    """
    for key in keys:
        said = {"Type": key.type, "Unit": key.unit}
        notes = "; ".join(f"{name.lower()}: {text}" for name, text in said.items() if text)
        yield f"{key.key} = {key.default}"
        yield f"    {key.meaning} {notes[:1].upper()}{notes[1:]}{'.' if notes else ''}".rstrip()


def format_default(value: Any) -> str:
    """A value of a config as a user would type it; a formula without MONAI's special signs.

    Example:
        >>> format_default("$'cache/' + @name"), format_default([1, None])
        ("'cache/' + name", '[1, null]')
    """
    if isinstance(value, str):
        return value.removeprefix("$").replace("@", "") if _is_formula(value) else value
    return json.dumps(value, ensure_ascii=False)


def _describe(key: str, value: Any, entry: Mapping[str, str]) -> Key:
    is_computed = _is_formula(value) and ("(" in value or " if " in value)
    default = entry.get("default") if is_computed else None
    words = RULES[key].words if key in RULES else ""
    return Key(
        key, entry.get("meaning", UNKNOWN), words, entry.get("unit", ""),
        default or format_default(value),
    )  # fmt: skip


def _is_formula(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("$", "@"))


def _is_worked_out(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")
