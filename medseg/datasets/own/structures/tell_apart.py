"""Tell apart: whether several label files of a case are structures, objects or readers."""

from __future__ import annotations

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
        ValueError: they may be of readers, or are neither. The line has the remedy.
    """
    cases = Counter(name for pair in pairs for name in pair.readers)
    numbered = [name for name in cases if NUMBERED.match(name)]
    alone = sum(count == 1 for count in cases.values()) / len(cases)
    everywhere = min(cases.values()) == len(pairs)
    are_objects = (len(numbered) == len(cases) and not everywhere) or (
        alone >= _ALONE and len(pairs) > 1
    )
    if close := _find_close(overlaps, nested=not are_objects):
        raise ValueError(_describe(pairs, close))
    if any(_PEOPLE.search(name) for name in cases if name not in numbered):
        raise ValueError(_describe(pairs, "their names are those of people"))
    if are_objects:
        return Kind.OBJECTS
    if cases.total() < _OFTEN * len(cases) * len(pairs):
        raise ValueError(
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


def _describe(pairs: Sequence[Pair], why: str) -> str:
    several = [pair for pair in pairs if len(pair.readers) > 1]
    some = shorten_list([file.name for file in several[0].readers.values()])
    number = count_noun(len(several), "case has", plural="cases have")
    rules = " ".join(f"--labels '{name}={name}'" for name in [*several[0].readers][:2])
    return (
        f"{number} several labels, such as {several[0].case} ({some}), and {why}: "
        f"{SEVERAL_READERS}; where each is a structure, name the class of each, {rules}"
    )
