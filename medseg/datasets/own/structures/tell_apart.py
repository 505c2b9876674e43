"""Tell apart: whether several label files of a case are structures, objects or readers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.pair_files import SEVERAL_READERS, Pair
from medseg.datasets.own.structures.overlaps import Overlaps

WITHIN = 0.99
"""Such a share of a structure's voxels lies within another one that holds it."""

MOST_APART = 0.1
"""The mean Dice of two structures that touch or cross a little; readers of one agree more."""

MOST_NESTED = 0.5
"""Likewise of a structure and one within it; a reader may mark less than another one, too."""

_ALONE = 0.8  # share of names that occur in one case only, where they are of objects
_OFTEN = 0.5  # share of all cases that have a file of a structure, on average

NUMBERED = re.compile(r"^reader_(\d+)$")
"""What label files are called that only numbers tell apart."""

_PEOPLE = re.compile(r"reader|rater|observer|annotator|expert|radiologist|doctor|physician")


class NotToldApartError(ValueError):
    """Files may be of readers, or are neither of structures nor of objects."""


class Kind(Enum):
    """What the label files of a case are."""

    STRUCTURES = "structures"  # the same ones in each case, such as liver and spleen
    OBJECTS = "objects"  # as many as a case has, such as nuclei


def tell_kind(pairs: Sequence[Pair], overlaps: Overlaps) -> Kind:
    """Whether the files are of structures or of objects, by their names and by what they share.

    Structures have the same names in most cases, and objects others in each case, or numbers.
    Neither shares more than a few voxels with the others, but a structure may lie within another.

    Args:
        pairs: the cases, with the label files of each by name.
        overlaps: of all of them.

    Raises:
        NotToldApartError: they may be of readers, or are neither. The line has the remedy.
    """
    cases = Counter(name for pair in pairs for name in pair.readers)
    numbered = [name for name in cases if NUMBERED.match(name)]
    alone = sum(count == 1 for count in cases.values()) / len(cases)
    everywhere = min(cases.values()) == len(pairs)
    are_objects = (len(numbered) == len(cases) and not everywhere) or (
        alone >= _ALONE and len(pairs) > 1
    )
    if close := _find_close(overlaps, nested=not are_objects):
        raise NotToldApartError(_describe(pairs, close))
    if any(_PEOPLE.search(name) for name in cases if name not in numbered):
        raise NotToldApartError(_describe(pairs, "their names are those of people"))
    if are_objects:
        return Kind.OBJECTS
    if cases.total() < _OFTEN * len(cases) * len(pairs):
        raise NotToldApartError(
            _describe(pairs, f"the names ({shorten_list(sorted(cases))}) differ from case to case")
        )
    return Kind.STRUCTURES


def _find_close(overlaps: Overlaps, *, nested: bool) -> str:
    """Two names that share too much to be those of structures or objects; "" where none do."""
    within = {name: overlaps.list_within(name, least=WITHIN) for name in overlaps.voxels}
    for (a, b), dice in overlaps.find_mean_dice().items():
        holds = nested and (a in within[b] or b in within[a])
        if dice > (MOST_NESTED if holds else MOST_APART):
            return f"{a} and {b} share voxels, with a mean Dice of {dice:.2f}"
    return ""


def describe_strays(pairs: Sequence[Pair], *, may_be_structures: bool = False) -> list[str]:
    """A line for each case with several label files, if most cases have one; else none."""
    several = [pair for pair in pairs if len(pair.readers) > 1]
    if 2 * len(several) > len(pairs):
        return []
    return [
        f"case {pair.case} has {len(pair.readers)} labels: {name_files(pair, pairs)}: remove "
        f"{'one' if len(pair.readers) == 2 else 'all but one'}, or, {SEVERAL_READERS}"
        + (_name_structures(pair) if may_be_structures else "")
        for pair in several
    ]


def name_files(pair: Pair, pairs: Sequence[Pair]) -> str:
    """The label files of a case by their names, or by their paths in the data where two are alike.

    Args:
        pair: the case.
        pairs: all cases, whose files tell the folder of the data.
    """
    files = sorted(pair.readers.values())
    if len({file.name for file in files}) == len(files):
        return shorten_list([file.name for file in files])
    known = [file for one in pairs for file in (*one.images, *one.readers.values()) if file]
    root = os.path.commonpath([file.parent for file in known])
    return shorten_list([file.relative_to(root).as_posix() for file in files])


def _describe(pairs: Sequence[Pair], why: str) -> str:
    several = [pair for pair in pairs if len(pair.readers) > 1]
    some = name_files(several[0], pairs)
    number = count_noun(len(several), "case has", plural="cases have")
    return (
        f"{number} several labels, such as {several[0].case} ({some}), and {why}: "
        f"{SEVERAL_READERS}{_name_structures(several[0])}"
    )


def _name_structures(pair: Pair) -> str:
    """What to do where each label file of a case is a structure."""
    rules = " ".join(f"--labels '{name}={name}'" for name in [*pair.readers][:2])
    return f"; where each is a structure, name the class of each, {rules}"
