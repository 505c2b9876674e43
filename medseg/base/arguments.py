"""Flags: a setting that is true or false is one of the two, not a text that looks like it."""

from typing import Any


def require_bool(value: Any, name: str) -> bool:
    """The value, if it is a bool.

    MONAI's command line passes `--resume false` on as the text "false", which counts as true.

    Raises:
        TypeError: the value is anything else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}: write it so, --{name} True")
    return value
