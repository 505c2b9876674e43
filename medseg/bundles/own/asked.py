"""Asked: the options of a plan, so that a later plan of the bundle has them too."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from medseg.base.files import whole

logger = logging.getLogger(__name__)

ASKED_FILE = "asked.json"
"""The options with which the bundle was planned last."""


def write_asked(bundle: Path, options: Mapping[str, Any]) -> None:
    """Keep the options of a plan in its bundle, those left out apart."""
    stated = {key: value for key, value in options.items() if value not in (None, [], False)}
    with whole(bundle / ASKED_FILE) as partial:
        partial.write_text(json.dumps(stated, indent=1, ensure_ascii=False) + "\n", "utf-8")


def recall_asked(
    bundle: Path, options: Mapping[str, Any], stated: Collection[str]
) -> dict[str, Any]:
    """Options as they are given now, and as they were given last where now they are left out.

    Those that differ from their defaults are told, with the way to leave one of them out: an empty
    text, or --no- before its name.

    Args:
        bundle: folder of the bundle; where it does not say how it was planned, nothing is recalled.
        options: all of them, those left out with their defaults.
        stated: which of them are given now.

    Raises:
        ValueError: the file is damaged.
    """
    path = bundle / ASKED_FILE
    if not path.is_file():
        return dict(options)
    try:
        before = json.loads(path.read_text("utf-8"))
        known = {key: value for key, value in before.items() if key in options}
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: remove it, and pass again the options that the bundle was planned "
            "with"
        ) from error
    recalled = {key: value for key, value in known.items() if key not in stated}
    changed = {key: value for key, value in recalled.items() if options[key] != value}
    if changed:
        first = next(iter(changed.items()))
        logger.warning(
            "as before: %s; to leave one out, pass %s or the like",
            *(" ".join(map(_write_option, changed.items())), _write_unset(first)),
        )
    return {**options, **recalled}


def drop_empty(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of which those that are an empty text count as left out.

    Example:
        >>> drop_empty({"patients": "", "labels": [""], "seed": 0})
        {'patients': None, 'labels': [], 'seed': 0}
    """
    return {
        key: list(filter(None, value))
        if isinstance(value, list)
        else None
        if value == ""
        else value
        for key, value in options.items()
    }


def _write_unset(option: tuple[str, Any]) -> str:
    """What leaves an option out that the last plan had."""
    key, value = option
    name = key.replace("_", "-")
    if value is True:
        return f"--no-{name}"
    return f"--{name} 0" if isinstance(value, int) else f"--{name} ''"


def _write_option(option: tuple[str, Any]) -> str:
    key, value = option
    name = f"--{key.replace('_', '-')}"
    if value is True:
        return name
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{name} {_quote(str(each))}" for each in values)


def _quote(text: str) -> str:
    """Text for a shell: in double quotes where it has single ones, which read better so."""
    if "'" in text and not set('"$`\\!') & set(text):
        return f'"{text}"'
    return shlex.quote(text)
