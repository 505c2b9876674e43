"""Entries: the entries of the cases that a datalist is made of, in types that JSON has."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from medseg.base.arguments import is_number
from medseg.datasets.sources.dataset_json import Item

_KINDS = {"case": (str, int), "patient": (str, int), "image": (str, list), "label": (str,)}
_KEYS = tuple(_KINDS)
_KINDS["instances"] = _KINDS["label"]
"""Types that the entries of a case may have; those of one entry are the same in all cases."""


def check_entries(
    items: Sequence[Mapping[str, Any]],
    testing: Sequence[Mapping[str, Any]],
    label_values: Collection[Any],
) -> tuple[list[Item], list[Item]]:
    """Give the cases for training and for testing, with names and paths as text.

    Raises:
        TypeError: see `medseg.datasets.prepared.write`.
        ValueError: a case without one of its keys.
    """
    items, testing = _to_plain_types(items), _to_plain_types(testing)
    _check_kinds([*items, *testing], label_values)
    return _name_by_text(items), _name_by_text(testing)


def _to_plain_types(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Give the cases in types that JSON has: paths as text, NumPy's numbers as Python's."""
    found = []
    for item in items:
        if not isinstance(item, Mapping):
            raise TypeError(
                f"a case must be a dictionary with {', '.join(_KEYS)}, got {item!r}: give it as one"
            )
        found.append({key: _to_json_type(value) for key, value in item.items()})
    return found


def _name_by_text(items: Sequence[Item]) -> list[Item]:
    """Give the cases with their names as text, as a datalist has them; a number is accepted."""
    return [{**item, "case": str(item["case"])} for item in items]


def _to_json_type(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_to_json_type(one) for one in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _check_kinds(items: Sequence[Mapping[str, Any]], label_values: Collection[Any]) -> None:
    """Refuse names that cannot be sorted or written, and label values of other types."""
    for value in label_values:
        if not is_number(value) or value % 1:
            raise TypeError(
                f"label_values holds {value!r}, a {type(value).__name__}: give whole numbers"
            )
    for item in items:
        for key in _KEYS:
            if key not in item and key != "label":
                name = item.get("case", item.get("image", "without a name"))
                raise ValueError(f"case {name} has no {key}: give each of {', '.join(_KEYS)}")
    for key, kinds in _KINDS.items():
        given = [item[key] for item in items if key in item]
        for value in given:
            if type(value) not in kinds or type(value) is not type(given[0]):
                first = "" if value is given[0] else f", that of the first case is {given[0]!r}"
                raise TypeError(
                    f"{key} {value!r} is a {type(value).__name__}{first}: give all as text"
                )
