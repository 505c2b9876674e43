"""Segment names: what the segments of 3D Slicer (.seg.nrrd) are called, and one value for each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.dicom.class_mapping import make_class_name
from medseg.datasets.own.label_files import save_label
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label
from medseg.ingest import IngestError
from medseg.ingest.formats import is_volume_file
from medseg.ingest.volumes.file import read_file_header

logger = logging.getLogger(__name__)

FOLDER = "named"
"""The folder of the labels that were given other values, beside the datalist."""


@dataclass(frozen=True)
class NamedSegments:
    """Cases whose label values mean the same in each.

    Attributes:
        pairs: the cases.
        classes: class name -> label values, as the segments are called; nothing without names.
        faults: what is wrong, a line each.
    """

    pairs: Sequence[Pair]
    classes: Mapping[str, list[int]] = field(default_factory=dict)
    faults: Sequence[str] = ()


def name_segments(
    pairs: Sequence[Pair], out: Path, *, declared: Mapping[str, Sequence[int]]
) -> NamedSegments:
    """Give each name of a segment one label value in all cases.

    A label that gives a name another value than most others is written with the value of these,
    beside the datalist; where the values are declared it is a fault.

    Args:
        pairs: the cases, those without a label included.
        out: folder of the datalist.
        declared: class name -> label values that a person or dataset.json states.
    """
    stated = {label: names for label in _list_labels(pairs) if (names := _read_names(label.file))}
    if not stated:
        return NamedSegments(pairs)
    values = _choose_values([*stated.values()])
    known = {make_class_name(name): {*each} for name, each in declared.items()}
    allowed = {name: known.get(name, {value}) for name, value in values.items()}
    odd = {
        label: names
        for label, names in stated.items()
        if any(value not in allowed[name] for value, name in names.items())
    }
    classes = {name: [value] for name, value in values.items()}
    if not odd:
        return NamedSegments(pairs, classes)
    if faults := _find_faults(pairs, stated, odd, allowed, are_declared=bool(declared)):
        return NamedSegments(pairs, classes, faults)
    return _renumber(pairs, odd, values, out / FOLDER)


@dataclass(frozen=True)
class _Label:
    """A label file of a case, which the messages name so."""

    case: str
    file: Path


def _list_labels(pairs: Sequence[Pair]) -> list[_Label]:
    """The label files of all cases, each once."""
    return [
        _Label(pair.case, file)
        for pair in pairs
        if pair.label is not None
        for file in dict.fromkeys((pair.label, *pair.readers.values()))
    ]


def _read_names(file: Path) -> dict[int, str]:
    """Label value -> class; nothing where segments have no names, or the file cannot be read."""
    if not is_volume_file(file):
        return {}
    try:
        return {one.value: make_class_name(one.name) for one in read_file_header(file).segments}
    except IngestError:
        return {}


def _choose_values(stated: Sequence[Mapping[int, str]]) -> dict[str, int]:
    """Class -> the value that most labels give it; all are numbered anew where two have the same.

    Example:
        >>> _choose_values([{1: "kidney"}, {1: "kidney", 2: "cyst"}, {1: "cyst", 2: "kidney"}])
        {'kidney': 1, 'cyst': 2}
    """
    counts: dict[str, Counter[int]] = {}
    for names in stated:
        for value, name in names.items():
            counts.setdefault(name, Counter())[value] += 1
    values = {name: each.most_common(1)[0][0] for name, each in counts.items()}
    if len({*values.values()}) < len(values):
        values = {name: number for number, name in enumerate(values, start=1)}
    return values


def _find_faults(
    pairs: Sequence[Pair],
    stated: Mapping[_Label, Mapping[int, str]],
    odd: Mapping[_Label, Mapping[int, str]],
    allowed: Mapping[str, set[int]],
    *,
    are_declared: bool,
) -> list[str]:
    """Why values cannot be changed: they are declared, or labels without names are among them."""
    if are_declared:
        return [
            f"case {label.case}: its segments say {_describe(names)}, and the values that are "
            f"declared, or those of most others, are {_describe_allowed(names, allowed)}: export "
            "them with these values, or leave --classes and the labels of dataset.json out, and "
            "the names alone count"
            for label, names in odd.items()
        ]
    first, names = next(iter(odd.items()))
    return [
        f"case {label.case}: its label {label.file.name} names no segments, and those of others "
        f"contradict each other (case {first.case}: {_describe(names)}): write it as .seg.nrrd "
        "too, or pass --classes"
        for label in _list_labels(pairs)
        if label not in stated
    ]


def _renumber(
    pairs: Sequence[Pair],
    odd: Mapping[_Label, Mapping[int, str]],
    values: Mapping[str, int],
    folder: Path,
) -> NamedSegments:
    """The cases with copies of the labels that give a name another value than the chosen one."""
    copies, faults = {}, []
    for number, (label, names) in enumerate(odd.items()):
        try:
            copies[label.file] = _write_copy(label, names, values, folder, number)
        except IngestError:
            continue  # measuring the case tells why
        except ValueError as fault:
            faults.append(str(fault))
    classes = {name: [value] for name, value in values.items()}
    if faults:
        return NamedSegments(pairs, classes, faults)
    cases = [*dict.fromkeys(label.case for label in odd)]
    logger.warning(
        "segments of one name have several values: they count by their names (%s), and %s other "
        "values into %s (%s)",
        ", ".join(f"{name} is {value}" for name, value in values.items()),
        count_noun(len(copies), "label was written with", plural="labels were written with"),
        *(folder, shorten_list(cases)),
    )
    return NamedSegments([_replace(pair, copies) for pair in pairs], classes)


def _write_copy(
    label: _Label, names: Mapping[int, str], values: Mapping[str, int], folder: Path, number: int
) -> Path:
    array, grid = read_label(label.file, label.case)
    if bare := {int(value) for value in np.unique(array)} - {0, *names}:
        raise ValueError(
            f"case {label.case}: its label holds the value {min(bare)}, which has no name, and its "
            "named segments have other values than those of other cases: name it in 3D Slicer"
        )
    table = np.zeros(256, np.uint8)
    for value, name in names.items():
        if 0 < value < len(table):
            table[value] = values[name]
    return save_label(folder, f"{label.case} {number}", table[array], grid)


def _replace(pair: Pair, copies: Mapping[Path, Path]) -> Pair:
    if pair.label is None:
        return pair
    readers = {name: copies.get(file, file) for name, file in pair.readers.items()}
    return replace(pair, label=copies.get(pair.label, pair.label), readers=readers)


def _describe(names: Mapping[int, str]) -> str:
    return ", ".join(f"{value} is {name}" for value, name in names.items())


def _describe_allowed(names: Mapping[int, str], allowed: Mapping[str, set[int]]) -> str:
    """The values of the same names."""
    return ", ".join(
        f"{shorten_list([str(value) for value in sorted(allowed[name])])} is {name}"
        for name in names.values()
    )
