"""Class names: what the label values of a dataset are called."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.class_values import check_classes
from medseg.datasets.sources.dataset_json import read_json

_BACKGROUND, _IGNORE = "background", "ignore"


def choose_classes(folder: Path, name: str, values: Sequence[int]) -> dict[str, list[int]]:
    """Class name -> label values: those of dataset.json, else one class for each value.

    The form of MSD is {"1": "liver"}, that of nnU-Net {"liver": 1}, or {"whole": [1, 2]} for
    regions that lie within each other. A single value is called as the bundle.

    Args:
        folder: of the dataset.
        name: of the bundle.
        values: that occur in the labels, background included.

    Raises:
        ValueError: dataset.json is damaged, or names no value that occurs.

    Example:
        >>> choose_classes(Path("no such folder"), "kidney", [0, 1])
        {'kidney': [1]}
    """
    file = folder / "dataset.json"
    if file.is_file():
        try:
            named = _read_names(read_json(file).get("labels") or {})
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} names no labels ({error}): pass --classes") from error
        kept = {label: each for label, each in named.items() if set(each) & set(values)}
        if kept:
            return kept
    ignored = find_ignored(folder)
    foreground = [value for value in values if value and value not in ignored]
    if len(foreground) == 1:
        return {name: foreground}
    return {f"label_{value}": [value] for value in foreground}


def find_ignored(folder: Path) -> list[int]:
    """The values that dataset.json calls "ignore", as nnU-Net does: voxels that count nowhere.

    Raises:
        ValueError: dataset.json is damaged.

    Example:
        >>> find_ignored(Path("no such folder"))
        []
    """
    file = folder / "dataset.json"
    if not file.is_file():
        return []
    try:
        labels = read_json(file).get("labels") or {}
        return [int(labels[name]) for name in labels if str(name).lower() == _IGNORE]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} names no labels ({error}): pass --classes") from error


def parse_classes(text: str) -> dict[str, list[int]]:
    """Class name -> label values, as a person writes them on the command line.

    Raises:
        ValueError: it is no such dictionary.

    Example:
        >>> parse_classes("{'kidney': [1, 2], 'tumour': 2}")
        {'kidney': [1, 2], 'tumour': [2]}
    """
    try:
        given = ast.literal_eval(text)
        found = {str(k): list(v) if isinstance(v, (list, tuple)) else [v] for k, v in given.items()}
    except (ValueError, SyntaxError, AttributeError, TypeError, MemoryError) as error:
        raise ValueError(
            f"--classes {text} is no dictionary of names and values: write it like "
            "\"{'kidney': [1, 2]}\""
        ) from error
    check_classes(found)
    return found


def _read_names(labels: Mapping[str, Any]) -> dict[str, list[int]]:
    named = {}
    for key, value in labels.items():
        label, stated = (str(value), key) if str(key).isdigit() else (str(key), value)
        each = [int(v) for v in (stated if isinstance(stated, list) else [stated])]
        if label.lower() not in (_BACKGROUND, _IGNORE) and each != [0]:
            named[label.strip().replace(" ", "_")] = each
    return named
