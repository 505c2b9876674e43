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
"""A label may have so many values that others lack, where they continue the numbers of the others:
they may be further structures."""

FEWEST_LEVELS = 20
"""An image has as many different values or more, and a label as a rule fewer."""


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
    values = {one.case: {*one.counts} - {0} for one in facts}
    labelled = [one for one in facts if values[one.case]]
    cases = Counter(value for one in labelled for value in values[one.case])
    often = {value for value, count in cases.items() if 2 * count >= len(labelled)} | {*known}
    usual = median(len(values[one.case]) for one in labelled) if labelled else 0
    return [
        _describe(one, sorted(values[one.case] - often), often)
        for one in labelled
        if _has_odd_values(values[one.case], often, usual=usual, cases=cases)
    ]


def _has_odd_values(
    own: Collection[int], often: Collection[int], *, usual: float, cases: Mapping[int, int]
) -> bool:
    """Whether a label has values that most labels lack, and too many of them or alone.

    Args:
        own: its values.
        often: those of most labels.
        usual: how many values a label has.
        cases: value -> how many labels have it.
    """
    odd = {*own} - {*often}
    if {*range(1, max(own))} <= {*own} | {*often}:  # they continue the numbers of the others
        return len(odd) > max(2 * usual, MOST_MORE)
    shares_none = odd == {*own} and all(cases[value] == 1 for value in odd)
    return len(odd) > usual or shares_none


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
    parts = sorted((voxels for each in one.parts.values() for voxels in each), reverse=True)
    return replace(
        one,
        counts=dict(sorted(counts.items())),
        places={1: np.sum(places, axis=0, dtype=np.float32)} if places else {},
        parts={1: tuple(parts)} if parts else {},
    )
