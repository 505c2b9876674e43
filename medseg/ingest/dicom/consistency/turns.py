"""Turns: whether values along a stack alternate, as those of several interleaved volumes do.

If two volumes are moved by half a step, their slices alternate, and each slice overlaps its
neighbours, since it was made for a step of twice the width.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np

from medseg.ingest.dicom.header.slice import Slice

LEAST_STEPS_OF_TWO = 1.5
"""Slices of two interleaved volumes are mostly at least this many steps thick, or apart."""

LEAST_STEPS_OF_OVERLAP = 1.1
"""Slices of at least this many steps are thicker than the step, and not only by rounding.

This holds for two volumes with wide gaps, and for one whose slices were meant to overlap.
"""

SAME_STEP = 0.1
"""SpacingBetweenSlices is the step of the stack if the two differ by at most this fraction."""

SMOOTH_PART = 0.25
"""Within each of two interleaved volumes, times change by at most this fraction of the jumps."""

MOST_AT_EDGES = 0.5
"""Two turns of the tube overlap by at most this fraction of the longer turn."""

FEWEST_ROUNDS = 3
"""At least this many slices of each volume must fit a strict alternation."""

_FOLDS = (2, 3, 4)  # how many volumes may interleave
_UNEVEN_FOLDS = range(
    5, 13
)  # smallest steps in a round with one slice of each volume, if steps differ
_FEWEST_TURNS = 4
_SMALLEST_MM = 1e-6


def are_alternating(kinds: Sequence[Hashable]) -> bool:
    """Whether several kinds alternate: each has two slices or more, in two blocks on average.

    Example:
        >>> are_alternating("abab"), are_alternating("aabb"), are_alternating("abcd")
        (True, False, False)
    """
    counts = Counter(kinds)
    return len(counts) > 1 < min(counts.values()) and count_blocks(kinds) >= 2 * len(counts)


def are_interleaved(kinds: Sequence[Hashable]) -> bool:
    """Whether two kinds interleave, and not only where the first ends and the second begins.

    Two turns of the tube may interleave at the edge where one ends and the next begins.

    Example:
        >>> are_interleaved("abababab"), are_interleaved("aaababbb")
        (True, False)
    """
    last = {kind: k for k, kind in enumerate(kinds)}
    first = {kind: k for k, kind in reversed(list(enumerate(kinds)))}
    ranges = sorted((first[kind], last[kind]) for kind in first)
    begins = [begin for begin, _ in ranges]
    return any(
        _measure_overlap(one, other) > MOST_AT_EDGES
        for k, one in enumerate(ranges)
        for other in ranges[k + 1 : bisect_right(begins, one[1])]
    )


def _measure_overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Measure the fraction of the longer of two ranges that both share; 1 for nested ranges."""
    common = min(one[1], other[1]) - max(one[0], other[0]) + 1
    lengths = [last - first + 1 for first, last in (one, other)]
    return 1.0 if common == min(lengths) else common / max(lengths)


def are_strictly_alternating(
    kinds: Sequence[Hashable], places: Sequence[int] | None = None
) -> bool:
    """Whether kinds repeat in a strict order of two, three or four, three times or more.

    If two kinds alternate, one may occur only twice, and the other three times.

    Args:
        kinds: along a stack.
        places: where on a grid each lies; some may be empty. None stands for 0, 1, 2, ...

    Example:
        >>> [are_strictly_alternating(kinds) for kinds in ("ababab", "aabaab", "ababba", "aaaaaa")]
        [True, False, False, False]
        >>> are_strictly_alternating("ababa"), are_strictly_alternating("abaab", [0, 1, 2, 4, 5])
        (True, True)
    """
    if len(set(kinds)) < 2 or not are_alternating(kinds):
        return False
    least = min(Counter(kinds).values())
    return any(
        (len(kinds) > _FEWEST_TURNS if fold == _FOLDS[0] else least >= FEWEST_ROUNDS)
        and _are_by_place(kinds, range(len(kinds)) if places is None else places, fold)
        for fold in (*_FOLDS, *_UNEVEN_FOLDS)
    )


def _are_by_place(kinds: Sequence[Hashable], places: Sequence[int], fold: int) -> bool:
    """Whether the place in a round of `fold` slices determines the kind of a slice."""
    kinds_at: dict[int, set[Hashable]] = {}
    for kind, place in zip(kinds, places, strict=True):
        kinds_at.setdefault(place % fold, set()).add(kind)
    is_one_volume_each = fold in _FOLDS or len(kinds_at) == len(set(kinds))
    return is_one_volume_each and all(len(there) == 1 for there in kinds_at.values())


def find_places(slices: Sequence[Slice]) -> list[int]:
    """The place of each slice in steps of the smallest gap, from 0, rounded to whole steps.

    Args:
        slices: sorted along their normal.
    """
    gaps_mm = _measure_gaps_mm(slices)
    steps = np.rint(gaps_mm / max(gaps_mm.min(initial=np.inf), _SMALLEST_MM))
    return [0, *np.cumsum(np.maximum(steps, 1)).astype(int).tolist()]


def _measure_gaps_mm(slices: Sequence[Slice]) -> np.ndarray:
    return np.linalg.norm(np.diff([s.position for s in slices], axis=0), axis=-1)


def is_zigzag(numbers: Sequence[float]) -> bool:
    """Whether numbers jump from slice to slice, but not over every second, third or fourth."""
    along = np.array(numbers)
    jumps = np.abs(np.diff(along)).sum()
    return any(
        jumps > 0 and np.abs(along[m:] - along[:-m]).sum() <= SMOOTH_PART * jumps
        for m in _FOLDS
        if len(along) >= _FEWEST_TURNS * m
    )


def is_monotone(numbers: Sequence[float]) -> bool:
    """Whether numbers never rise, or never fall."""
    steps = np.diff(np.array(numbers))
    return bool((steps >= 0).all() or (steps <= 0).all())


def are_interleaved_counts(numbers: Sequence[float]) -> bool:
    """Whether each of two to four interleaved sequences of numbers only rises, or only falls.

    Example:
        >>> are_interleaved_counts([1, 6, 2, 7, 3, 8]), are_interleaved_counts([1, 5, 6, 2, 3, 4])
        (True, False)
    """
    return any(
        len(numbers) >= FEWEST_ROUNDS * m - (m == _FOLDS[0])
        and all(is_monotone(n := numbers[k::m]) and len(set(n)) == len(n) for k in range(m))
        for m in _FOLDS
    )


def count_blocks(values: Sequence[object]) -> int:
    """How many runs of equal values there are."""
    return 1 + sum(a != b for a, b in pairwise(values))


def are_overlapping(
    slices: Sequence[Slice], *, where_unstated: bool, steps: float = LEAST_STEPS_OF_OVERLAP
) -> bool:
    """Whether slices overlap as those of several interleaved volumes do.

    The thickness and spacing that they state are compared with the smallest step.

    If SpacingBetweenSlices is the step of the stack, the slices were meant to overlap, as in a
    reconstruction of twice as many slices; they are one volume.

    Args:
        slices: sorted along their normal, two or more.
        where_unstated: the result if neither thickness nor spacing is stated.
        steps: the least thickness in steps; a stated spacing must be `LEAST_STEPS_OF_TWO` or more.
    """
    step_mm = float(_measure_gaps_mm(slices).min(initial=np.inf))
    spacings_mm = [mm for s in slices if (mm := s.spacing_between_mm) and mm > 0]
    if spacings_mm and max(abs(mm - step_mm) for mm in spacings_mm) <= SAME_STEP * step_mm:
        return False
    if not spacings_mm and not _find_thickest_mm(slices):
        return where_unstated
    is_apart = max(spacings_mm, default=0.0) >= LEAST_STEPS_OF_TWO * step_mm
    return is_apart or are_thick(slices, steps=steps)


def may_be_packages(slices: Sequence[Slice]) -> bool:
    """Whether every other slice may have been taken later, as in MR to avoid interference.

    False if slices are as thick as those of two volumes at half a step mostly are.
    """
    is_mr = all(s.kind == "MR" for s in slices)
    return (
        is_mr and _find_thickest_mm(slices) > 0 and not are_thick(slices, steps=LEAST_STEPS_OF_TWO)
    )


def are_thick(slices: Sequence[Slice], *, steps: float) -> bool:
    """Whether a slice is at least this many of the smallest steps thick."""
    return _find_thickest_mm(slices) >= steps * float(_measure_gaps_mm(slices).min(initial=np.inf))


def _find_thickest_mm(slices: Sequence[Slice]) -> float:
    """0 where none states its thickness."""
    return max(max(s.thickness_mm or 0.0 for s in slices), 0.0)
