"""Odd values: labels whose values tell that they are no labels, or not as those of other cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from medseg.base.text import count_noun, shorten_list
from medseg.planning.case_facts import CaseFacts

MOST_MORE = 9
"""So many values more than others may a label have whose values follow on theirs."""

FEWEST_LEVELS = 20
"""An image has so many different values and more, unless it is a mask or hardly more."""


def find_odd_values(facts: Sequence[CaseFacts], known: Collection[int] = ()) -> list[str]:
    """A line for each case whose label has values that most labels lack, and many or with gaps.

    Such a label is an image, or a mask with blurred edges, or numbered otherwise. A few further
    values that follow on those of the others are another structure. Labels of background alone are
    not among the others.

    Args:
        facts: of each case.
        known: values that are named, by a person or by the data: none of these is odd.

    Example:
        >>> find_odd_values([])
        []
    """
    if _are_exchanged(facts):
        return [
            "the labels of most cases hold more values than their images: exchange the two, or "
            "say which are which with --images and --labels"
        ]
    labelled = [one for one in facts if {*one.counts} - {0}]
    cases = Counter(value for one in labelled for value in one.counts if value)
    often = {value for value, count in cases.items() if 2 * count >= len(labelled)} | {*known}
    usual = median(len({*one.counts} - {0}) for one in labelled) if labelled else 0
    faults = []
    for one in labelled:
        own = {*one.counts} - {0}
        odd = sorted(own - often)
        follow_on = set(range(1, max(own, default=0))) <= own | often
        if len(odd) > (max(2 * usual, MOST_MORE) if follow_on else usual) or (
            not follow_on
            and odd
            and own.isdisjoint(often)
            and sum(cases[v] for v in odd) == len(odd)
        ):
            faults.append(_describe(one, odd, often))
    return faults


def _are_exchanged(facts: Sequence[CaseFacts]) -> bool:
    """Whether most labels have many values, and more than their images have."""
    exchanged = [len(one.counts) >= FEWEST_LEVELS and _looks_like_label(one) for one in facts]
    return 2 * sum(exchanged) > len(facts)


def _looks_like_label(one: CaseFacts) -> bool:
    levels = [channel.levels for channel in one.channels if channel is not None]
    return 0 < max(levels, default=0) < min(FEWEST_LEVELS, len(one.counts))


def _describe(one: CaseFacts, odd: Sequence[int], often: Collection[int]) -> str:
    values = count_noun(len(one.counts) - (0 in one.counts), "value")
    listed = shorten_list([str(value) for value in odd])
    others = shorten_list([str(value) for value in sorted(often)]) or "others in each case"
    said = (
        f"case {one.case}: its label holds {values} beside 0 ({listed}), and most labels {others}"
    )
    if _looks_like_label(one):
        return f"{said}; its label looks like an image and its image like a label: exchange them"
    if len(odd) >= FEWEST_LEVELS:
        return f"{said}; its label looks like an image, or a mask with blurred edges: correct it"
    return f"{said}: correct it, or name these values with --classes if they are right"


def join_values(
    facts: Sequence[CaseFacts], classes: Mapping[str, Sequence[int]]
) -> list[CaseFacts]:
    """The facts with one label value where a mask of 0 and 255 is one of 0 and 1.

    Args:
        facts: of each case.
        classes: class name -> label values.

    Example:
        >>> join_values([], {"kidney": [1, 255]})
        []
    """
    if [sorted(values) for values in classes.values()] != [[1, 255]]:
        return list(facts)
    return [_join(one) for one in facts]


def _join(one: CaseFacts) -> CaseFacts:
    counts = Counter[int]()
    for value, voxels in one.counts.items():
        counts[min(value, 1)] += voxels
    places = [*one.places.values()]
    return replace(
        one,
        counts=dict(sorted(counts.items())),
        places={1: np.sum(places, axis=0, dtype=np.float32)} if places else {},
    )
