"""Join structures: make one label map of the label files of a case, one for each structure."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medseg.base.scratch import make_scratch_folder
from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.dicom.class_mapping import NameRule, make_class_name, map_names
from medseg.datasets.own.label_files import FOLDER, put_in_place, read_label_files, save_label
from medseg.datasets.own.pair_files import SEVERAL_READERS, Pair
from medseg.datasets.own.structures.overlaps import Mask, Overlaps, sort_by_size
from medseg.datasets.own.structures.tell_apart import (
    NUMBERED,
    WITHIN,
    Kind,
    NotToldApartError,
    describe_strays,
    tell_kind,
)
from medseg.geometry import Geometry

logger = logging.getLogger(__name__)

MOST_CLASSES = 255


class _SeveralValuesError(ValueError):
    """A label file is no mask of one structure; the text is its name and what it holds."""


@dataclass(frozen=True)
class JoinedStructures:
    """Cases with a label map each.

    Attributes:
        pairs: the cases; where there are faults, as they were.
        classes: class name -> label values; None of objects, which are of one class without name.
        faults: what is wrong, a line each.
    """

    pairs: Sequence[Pair]
    classes: Mapping[str, Sequence[int]] | None = None
    faults: Sequence[str] = ()


def join_structures(
    pairs: Sequence[Pair], out: Path, *, rules: Sequence[NameRule] = ()
) -> JoinedStructures:
    """Write one label map for each case to the folder labels of `out`; all of them, or none.

    Each structure is a class, called as its files, and a file that is missing is an empty one. A
    class that holds another one has its voxels too, as regions of nnU-Net; where others overlap,
    the one that is smaller over all cases has the voxels. Objects, whose names differ from case to
    case, are one class together.

    Args:
        pairs: the cases, with the label files of each by name.
        out: folder of the datalist.
        rules: which names are of which class; others are left out. None for a class of each.

    Raises:
        ValueError: a rule has no name.
        OSError: a file cannot be written.
    """
    class_of = _name_classes(pairs, rules)
    overlaps, faults = _measure(pairs, class_of)
    if faults:
        return JoinedStructures(pairs, faults=faults)
    try:
        kind = Kind.STRUCTURES if rules else tell_kind(pairs, overlaps)
        values = _choose_values(overlaps, kind)
    except NotToldApartError as fault:
        strays = describe_strays(pairs, may_be_structures=True)
        return JoinedStructures(pairs, faults=strays or [str(fault)])
    except ValueError as fault:
        return JoinedStructures(pairs, faults=[str(fault)])
    made = _write(pairs, out, class_of=class_of, values=values)
    if kind is Kind.OBJECTS:
        logger.warning(
            "%s of %s are of single objects: one class together, written into %s",
            count_noun(len(class_of), "label file"),
            *(count_noun(len(pairs), "case"), out / FOLDER),
        )
        return JoinedStructures(made)
    _say_classes(pairs, class_of, values, out)
    classes = _nest(values, overlaps)
    _say_overlaps(overlaps, classes)
    return JoinedStructures(made, classes)


def _name_classes(pairs: Sequence[Pair], rules: Sequence[NameRule]) -> dict[str, str]:
    """Name of a label file -> class; a number alone names label_1."""
    distinct = sorted({name for pair in pairs for name in pair.readers})
    if rules:
        return map_names(distinct, rules)
    numbers = {name: NUMBERED.sub(r"label_\1", name) for name in distinct}
    return {name: make_class_name(number) for name, number in numbers.items()}


def _measure(pairs: Sequence[Pair], class_of: Mapping[str, str]) -> tuple[Overlaps, list[str]]:
    """What the classes share in all cases, and what is wrong, a line each."""
    overlaps, faults, mixed = Overlaps(), [], {}
    for pair in pairs:
        try:
            overlaps.add(_read_masks(pair, class_of)[0])
        except _SeveralValuesError as fault:
            mixed[pair.case] = str(fault)
        except ValueError as fault:
            faults.append(str(fault))
    return overlaps, faults + (_describe_mixed(pairs, mixed) if mixed else [])


def _describe_mixed(pairs: Sequence[Pair], mixed: Mapping[str, str]) -> list[str]:
    """What is wrong where a case has several labels, and labels hold several values.

    Args:
        pairs: all cases.
        mixed: case -> its label of several values, and these.
    """
    if strays := describe_strays(pairs):
        return strays
    several = {pair.case for pair in pairs if len(pair.readers) > 1}
    those = [case for case in mixed if case in several] or [*mixed]
    return [
        f"{count_noun(len(those), 'case has', plural='cases have')} several labels, one of which "
        f"holds more than one value, such as {those[0]} ({mixed[those[0]]}): {SEVERAL_READERS}; "
        "where each is a structure, give it a file with 0 and one other value, or all of them one "
        "file"
    ]


def _read_masks(
    pair: Pair, class_of: Mapping[str, str]
) -> tuple[dict[str, Mask], tuple[int, ...], Geometry | None]:
    """The mask of each class that a case has a file of, and the shape and the grid of all.

    Raises:
        _SeveralValuesError: a file holds more than one value beside 0.
        ValueError: a file cannot be used.
    """
    found: dict[str, Mask] = {}
    shape: tuple[int, ...] = ()
    grid = None
    for name, label, grid in read_label_files(pair):  # noqa: B007 -- all files have one grid
        shape = label.shape
        values = np.unique(label[label > 0])
        if len(values) > 1:
            listed = shorten_list([str(value) for value in values])
            raise _SeveralValuesError(f"{pair.readers[name].name} holds {listed}")
        if name in class_of:
            mask, label_class = Mask.crop(label > 0), class_of[name]
            found[label_class] = found[label_class].join(mask) if label_class in found else mask
    return found, shape, grid


def _choose_values(overlaps: Overlaps, kind: Kind) -> dict[str, int]:
    """Class -> label value, from the largest to the smallest, without those of no voxel.

    Raises:
        ValueError: there are more classes than values, or no voxels at all.
    """
    if kind is Kind.OBJECTS:
        return dict.fromkeys(overlaps.voxels, 1)
    order = [name for name in sort_by_size(overlaps.voxels) if overlaps.voxels[name]]
    if empty := sorted(overlaps.voxels.keys() - {*order}):
        logger.warning("left out, without a voxel in any case: %s", shorten_list(empty))
    if not 1 <= len(order) <= MOST_CLASSES:
        raise ValueError(
            f"the label files name {count_noun(len(order), 'structure')} with voxels, and a label "
            f"map holds 1 to {MOST_CLASSES}: choose some, such as --labels 'liver*=liver'"
        )
    return {name: value for value, name in enumerate(order, start=1)}


def _nest(values: Mapping[str, int], overlaps: Overlaps) -> dict[str, list[int]]:
    """Class -> its label values, and those of the classes that lie within it."""
    within = {name: overlaps.list_within(name, least=WITHIN) for name in values}
    return {name: [value, *(values[n] for n in within[name])] for name, value in values.items()}


def _write(
    pairs: Sequence[Pair], out: Path, *, class_of: Mapping[str, str], values: Mapping[str, int]
) -> list[Pair]:
    """Write the label maps; a class of a higher value lies on top."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with make_scratch_folder(out) as scratch:
        for pair in pairs:
            masks, shape, grid = _read_masks(pair, class_of)
            label = np.zeros(shape, np.uint8)
            for name, value in values.items():
                if name in masks:
                    label[masks[name].box][masks[name].inside] = value
            path = save_label(scratch / FOLDER, pair.case, label, grid)
            made.append(replace(pair, label=out / FOLDER / path.name, readers={}))
        put_in_place(scratch, out / FOLDER)
    return made


def _say_classes(
    pairs: Sequence[Pair], class_of: Mapping[str, str], values: Mapping[str, int], out: Path
) -> None:
    """Say which classes the files are of, and which cases have no file of one."""
    logger.warning(
        "each label file of a case is a structure: %s; written as one label map each into %s",
        *(", ".join(values), out / FOLDER),
    )
    distinct = {name for pair in pairs for name in pair.readers}
    if others := sorted(distinct - class_of.keys()):
        logger.warning("left out, without a rule of --labels: %s", shorten_list(others))
    there = Counter(name for pair in pairs for name in {class_of.get(n) for n in pair.readers})
    lacking = [
        f"{name} in {len(pairs) - there[name]} of {count_noun(len(pairs), 'case')}"
        for name in values
        if there[name] < len(pairs)
    ]
    if lacking:
        logger.warning("without a file, which counts as empty: %s", shorten_list(lacking))


def _say_overlaps(overlaps: Overlaps, classes: Mapping[str, Sequence[int]]) -> None:
    """Say which classes share voxels, and which of both has them."""
    for (a, b), cases in overlaps.cases.items():
        if not (cases and a in classes and b in classes):
            continue
        large, small = (a, b) if classes[a][0] < classes[b][0] else (b, a)
        voxels = count_noun(overlaps.shared[a, b], "voxel")
        if classes[small][0] in classes[large]:
            logger.warning("%s lies within %s, which has its voxels too", small, large)
        else:
            logger.warning(
                "%s and %s share %s in %s: %s, which is smaller over all cases, has them",
                *(large, small, voxels, count_noun(cases, "case"), small),
            )
