"""Plain values: numbers and texts of a model's files, checked before they enter a config."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from medseg.base.class_values import INTERPRETED


def read_numbers(key: str, value: Any, *, count: int | None = None) -> tuple[float, ...]:
    """A list of finite numbers.

    Args:
        key: of the value in plans.json, for the message.
        value: what is there.
        count: how many there must be; None for any number.

    Raises:
        ValueError: it is anything else.

    Example:
        >>> read_numbers("spacing", [2.5, 0.8, 0.8])
        (2.5, 0.8, 0.8)
    """
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if not listed or not all(map(_is_finite, value)) or count not in (None, len(value)):
        wanted = "numbers" if count is None else f"{count} numbers"
        raise ValueError(f"plans.json has {key} {_show(value)}, and needs {wanted}: it is damaged")
    return tuple(value)


def read_whole(key: str, value: Any, *, least: int, count: int | None = None) -> tuple[int, ...]:
    """A list of whole numbers that are no less than `least`; see `read_numbers`."""
    numbers = read_numbers(key, value, count=count)
    if any(one != int(one) or one < least for one in numbers):
        raise ValueError(
            f"plans.json has {key} {_show(list(numbers))}, and needs whole numbers of {least} or "
            "more: it is damaged"
        )
    return tuple(int(one) for one in numbers)


def make_text(value: Any) -> str:
    """A text of a model's files, which no config evaluates.

    Example:
        >>> make_text("$print(1)")
        'print(1)'
    """
    return str(value).lstrip("".join(INTERPRETED) + " ")


@contextmanager
def explain_damage(file: str) -> Iterator[None]:
    """Within the block, what Python says of values of another kind becomes one line.

    Raises:
        ValueError: a value of the file has another kind than nnU-Net writes.
    """
    try:
        yield
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{file} has a value of another kind than nnU-Net v2 writes ({error}): it is damaged "
            "or was changed by hand, take the file of the training"
        ) from error


def get_mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A section of plans.json; empty where there is none.

    Raises:
        ValueError: it is no section.
    """
    value = found.get(key, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"plans.json has {key} {_show(value)}, and needs a section: it is damaged")
    return value


def _is_finite(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _show(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:57]}..."
