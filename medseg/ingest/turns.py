"""Turns: whether values along a stack change to and fro, as those of several volumes do.

Of two volumes at half a step, slices of one and of the other follow each other by turns, and each
slice reaches over its neighbours, since it was made for a step of twice the width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np

from medseg.ingest.slice import Slice

OVERLAP = 1.5
"""Slices of two volumes at half a step are at least this many steps thick, or apart as stated."""

SAME_STEP = 0.1
"""SpacingBetweenSlices is the step of the stack where the two differ by this part at most."""

SMOOTH_PART = 0.25
"""Times of volumes that take turns change by at most this part of their jumps within each."""

FEWEST_ROUNDS = 3
"""So many slices of each volume, at least, must fit a strict order of turns."""

_FOLDS = (2, 3, 4)  # how many volumes may take turns
_FEWEST_TURNS = 4


def take_turns(kinds: Sequence[Hashable]) -> bool:
    """Whether each of several kinds is of two slices or more, in two blocks or more on average.

    Example:
        >>> take_turns("abab"), take_turns("aabb"), take_turns("abcd")
        (True, False, False)
    """
    counts = Counter(kinds)
    return len(counts) > 1 < min(counts.values()) and blocks(kinds) >= 2 * len(counts)


def alternate(kinds: Sequence[Hashable]) -> bool:
    """Whether kinds repeat in a strict order of two, three or four, three times or more.

    Example:
        >>> alternate("ababab"), alternate("aabaab"), alternate("ababba"), alternate("aaaaaa")
        (True, False, False, False)
        >>> alternate("abcabcabc")
        True
    """
    return len(set(kinds)) > 1 and any(
        len(kinds) >= FEWEST_ROUNDS * fold
        and all(kinds[i] == k for i, k in enumerate(kinds[fold:]))
        for fold in _FOLDS
    )


def swing(numbers: Sequence[float]) -> bool:
    """Whether numbers jump from slice to slice and are smooth in every second, third or fourth."""
    along = np.array(numbers)
    jumps = np.abs(np.diff(along)).sum()
    return any(
        jumps > 0 and np.abs(along[m:] - along[:-m]).sum() <= SMOOTH_PART * jumps
        for m in _FOLDS
        if len(along) >= _FEWEST_TURNS * m
    )


def blocks(values: Sequence[object]) -> int:
    """How many runs of equal values there are."""
    return 1 + sum(a != b for a, b in pairwise(values))


def overlap(slices: Sequence[Slice], *, where_unstated: bool) -> bool:
    """Whether slices reach over each other as those of several volumes between each other do.

    Slices that state the step of the stack as their SpacingBetweenSlices were meant to overlap, as
    a reconstruction to twice as many slices makes them; they are one volume.

    Args:
        slices: sorted along their normal, two or more.
        where_unstated: what to answer where neither thickness nor spacing is stated.
    """
    first, last = slices[0].position, slices[-1].position
    step_mm = float(np.linalg.norm(last - first)) / max(1, len(slices) - 1)
    spacings_mm = [mm for s in slices if (mm := s.spacing_between_mm) and mm > 0]
    if spacings_mm and max(abs(mm - step_mm) for mm in spacings_mm) <= SAME_STEP * step_mm:
        return False
    extents_mm = [mm for s in slices if (mm := s.thickness_mm) and mm > 0] + spacings_mm
    return max(extents_mm) >= OVERLAP * step_mm if extents_mm else where_unstated
