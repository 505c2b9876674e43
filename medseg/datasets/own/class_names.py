"""Class names: what the label values of a dataset are called."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.class_values import check_classes
from medseg.base.text import shorten_list
from medseg.datasets.sources.dataset_json import read_object

logger = logging.getLogger(__name__)

_BACKGROUND, _IGNORE = "background", "ignore"


def choose_classes(
    folder: Path,
    name: str,
    values: Sequence[int],
    *,
    mixed: bool = False,
    segments: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, list[int]]:
    """Class name -> label values: those of dataset.json, else of segments, else one each.

    The form of MSD is {"1": "liver"}, that of nnU-Net {"liver": 1}, or {"whole": [1, 2]} for
    regions that lie within each other. A single value is called as the bundle.

    Args:
        folder: of the dataset.
        name: of the bundle.
        values: that occur in the labels, background included.
        segments: class name -> label values of the segments that label files name.
        mixed: whether these are masks of 0 and 1 and of 0 and 255, see `are_mixed`: one class.

    Raises:
        ValueError: dataset.json is damaged, or names no value that occurs.

    Example:
        >>> choose_classes(Path("no such folder"), "kidney", [0, 1])
        {'kidney': [1]}
    """
    if kept := _keep_present(read_classes(folder), values, "dataset.json names"):
        return kept
    ignored = find_ignored(folder)
    foreground = [value for value in values if value and value not in ignored]
    if segments and (kept := _keep_present(segments, values, "there are segments")):
        bare = {*foreground}.difference(*kept.values())
        return {**kept, **{f"label_{value}": [value] for value in sorted(bare)}}
    if mixed:
        logger.warning("masks of 0 and 1, and others of 0 and 255: both values are class %s", name)
        return {name: [1, 255]}
    if len(foreground) == 1:
        return {name: foreground}
    return {f"label_{value}": [value] for value in foreground}


def read_classes(folder: Path) -> dict[str, list[int]]:
    """Class name -> label values of dataset.json, without background and what is ignored.

    Raises:
        ValueError: dataset.json is damaged.

    Example:
        >>> read_classes(Path("no such folder"))
        {}
    """
    return _read_labels(folder, _read_names)


def _keep_present(
    named: Mapping[str, Sequence[int]], values: Collection[int], source: str
) -> dict[str, list[int]]:
    """The classes of which a label holds a value; the others are told."""
    kept = {label: list(each) for label, each in named.items() if {*each} & {*values}}
    if gone := sorted(named.keys() - kept.keys()):
        logger.warning("%s %s, which no label holds: left out", source, shorten_list(gone))
    return kept


def are_mixed(labels: Iterable[Collection[int]]) -> bool:
    """Whether some labels are masks of 0 and 1, and all others of 0 and 255.

    Args:
        labels: the values of each.

    Example:
        >>> are_mixed([[0, 1], [0, 255], [0]]), are_mixed([[0, 1], [0, 1, 255]])
        (True, False)
    """
    held = {frozenset(value for value in each if value) for each in labels}
    return held - {frozenset()} == {frozenset([1]), frozenset([255])}


def read_declared_values(folder: Path) -> set[int]:
    """Every label value that dataset.json names, regions and ignored ones included.

    Raises:
        ValueError: dataset.json is damaged.

    Example:
        >>> read_declared_values(Path("no such folder"))
        set()
    """
    named = _read_labels(folder, _read_values)
    return {value for values in named.values() for value in values}


def find_ignored(folder: Path) -> list[int]:
    """The values that dataset.json calls "ignore", as nnU-Net does: voxels that count nowhere.

    Raises:
        ValueError: dataset.json is damaged.

    Example:
        >>> find_ignored(Path("no such folder"))
        []
    """
    named = _read_labels(folder, _read_values)
    return [values[0] for name, values in named.items() if name.lower() == _IGNORE]


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
    written = ast.parse(text.strip(), mode="eval").body
    if isinstance(written, ast.Dict) and len(written.keys) > len(found):
        raise ValueError(
            f"--classes {text} names a class twice: write all its values in one list, as in "
            "{'kidney': [1, 2]}"
        )
    check_classes(found)
    return found


def _read_labels(
    folder: Path, read: Callable[[Mapping[str, Any]], dict[str, list[int]]]
) -> dict[str, list[int]]:
    """What dataset.json says of the labels; nothing without it."""
    file = folder / "dataset.json"
    if not file.is_file():
        return {}
    labels = read_object(file).get("labels") or {}
    try:
        return read(labels)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f'{file} names no labels: write whole numbers, as in {{"labels": {{"background": 0, '
            '"kidney": 1}}, or pass --classes'
        ) from error


def _read_values(labels: Mapping[str, Any]) -> dict[str, list[int]]:
    """Name -> values, of MSD and of nnU-Net, background and what is ignored included."""
    named = {}
    for key, value in labels.items():
        label, stated = (str(value), key) if str(key).isdigit() else (str(key), value)
        named[label] = [int(v) for v in (stated if isinstance(stated, list) else [stated])]
    return named


def _read_names(labels: Mapping[str, Any]) -> dict[str, list[int]]:
    """Class -> values, as `_read_values`, without background and what is ignored."""
    return {
        label.strip().replace(" ", "_"): values
        for label, values in _read_values(labels).items()
        if label.lower() not in (_BACKGROUND, _IGNORE) and values != [0]
    }
