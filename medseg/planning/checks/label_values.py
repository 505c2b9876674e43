"""Label values: whether those that occur, those declared and the classes agree."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from math import prod

from medseg.base.text import count_noun, shorten_list
from medseg.planning.case_facts import CaseFacts

logger = logging.getLogger(__name__)

_SMALL = (
    "label %d is no larger than a voxel of the plan (%.2g mm) in %s (%s; at least %.2g mm): it may "
    "be lost; correct these, or pass a smaller spacing_mm in task.json"
)
_SMALL_IN_PIXELS = (
    "label %d is a single pixel in %s (%s), which can hardly be learnt: correct these, or pass "
    "--classes without it"
)


def find_undeclared(facts: Sequence[CaseFacts], declared: Collection[int]) -> list[str]:
    """A line for each case whose label has values that the dataset does not declare.

    Args:
        facts: of each case.
        declared: values that dataset.json names, background included; none where it names none.

    Example:
        >>> find_undeclared([], [0, 1])
        []
    """
    faults = []
    for one in facts:
        odd = sorted(set(one.counts) - {0, *declared})
        if declared and odd:
            faults.append(
                f"case {one.case}: its label holds {shorten_list([str(v) for v in odd])}, and "
                f"dataset.json declares {shorten_list([str(v) for v in sorted(declared)])}: "
                "correct one of them, or pass --classes"
            )
    return faults


def check_classes(
    classes: Mapping[str, Sequence[int]], values: Collection[int], *, ignored: Collection[int] = ()
) -> None:
    """Refuse classes that no label has, and say which values are in no class.

    Args:
        classes: class name -> label values that a person chose for it.
        values: that occur in the labels, background included.
        ignored: those that count nowhere.

    Raises:
        ValueError: a class has a value that does not occur, one that is ignored, or the background.

    Example:
        >>> check_classes({"kidney": [1, 2]}, [0, 1, 2])
    """
    there = shorten_list([str(value) for value in sorted(values)])
    for name, value in ((name, value) for name, each in classes.items() for value in each):
        if value == 0:
            raise ValueError(
                f"class {name} has the label value 0, which is the background: take it out of "
                "--classes, or give the structure another value in the labels"
            )
        if value in ignored:
            raise ValueError(
                f"class {name} has the label value {value}, which dataset.json ignores: take it "
                "out of one of the two"
            )
        if value not in values:
            raise ValueError(
                f"class {name} has the label value {value}, which no label holds (they hold "
                f"{there}): correct --classes"
            )
    taken = {value for each in classes.values() for value in each}
    if left := sorted({*values} - taken - {0, *ignored}):
        logger.warning(
            "label values in no class: %s; they are learnt as background, unless --classes names "
            "them too",
            shorten_list([str(value) for value in left]),
        )


def find_empty(facts: Sequence[CaseFacts]) -> list[str]:
    """The cases whose label holds background alone.

    Example:
        >>> find_empty([])
        []
    """
    return [one.case for one in facts if not any(one.counts.get(v) for v in one.counts if v)]


def warn_of_rare(
    facts: Sequence[CaseFacts],
    spacing: Sequence[float],
    *,
    folds: int,
    unmatched: Collection[str] = (),
) -> None:
    """Say which labels are empty, in few cases, or so small that they can hardly be learnt.

    Args:
        facts: of each case.
        spacing: of the voxels of the plan, in mm; 1 for pictures.
        folds: how many the cases are split into.
        unmatched: cases of which the table of DICOM objects says that nothing matched --labels.
    """
    _warn_of_empty(facts, unmatched=unmatched)
    for value in sorted({value for one in facts for value in one.counts if value}):
        those = [one for one in facts if one.counts.get(value)]
        if len(those) < min(folds, len(facts)):
            logger.warning(
                "label %d is in %d of %s: a fold without it cannot be validated on it",
                *(value, len(those), count_noun(len(facts), "case")),
            )
        small = [one for one in those if _find_edge(one, value) <= max(spacing)]
        if small:
            there = f"{len(small)} of {count_noun(len(those), 'case')}"
            names = shorten_list([one.case for one in small])
            least = min(_find_edge(one, value) for one in small)
            if len(small[0].shape) == 2:
                logger.warning(_SMALL_IN_PIXELS, value, there, names)
            else:
                logger.warning(_SMALL, value, max(spacing), there, names, least)


def _find_edge(one: CaseFacts, value: int) -> float:
    """The edge of a cube, or a square, as large as a label."""
    return float(one.counts[value] * prod(one.spacing_mm)) ** (1 / len(one.shape))


def _warn_of_empty(facts: Sequence[CaseFacts], *, unmatched: Collection[str] = ()) -> None:
    """Say which labels hold background alone.

    Args:
        facts: of each case.
        unmatched: cases of which the table of DICOM objects says that nothing matched --labels.
    """
    empty = find_empty(facts)
    if left_out := [case for case in empty if case in unmatched]:
        logger.warning(
            "labels that hold background alone, since nothing in them matched --labels, as the "
            "table of what was matched says: %s (%d of %s); correct --labels if they show a "
            "structure",
            *(shorten_list(left_out), len(left_out), count_noun(len(facts), "case")),
        )
    if empty := [case for case in empty if case not in left_out]:
        logger.warning(
            "labels that hold background alone: %s (%d of %s); correct them if they are unfinished",
            *(shorten_list(empty), len(empty), count_noun(len(facts), "case")),
        )
