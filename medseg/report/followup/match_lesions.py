"""Match lesions: which lesion of the earlier study is which of the later one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medseg.report.followup.lesion_map import LesionMap
from medseg.report.followup.shared_volume import measure_imaged, measure_shared

LEAST_OVERLAP = 0.1
"""Two lesions are one if they share this part of the smaller one. Neighbours that only touch after
an imperfect registration share less."""

FARTHEST_MM = 15.0
"""Lesions that do not overlap are one if their centres of gravity are at most so far apart: what
breathing moves the liver by, and registration as a rigid body leaves."""

LEAST_IMAGED = 0.5
"""A lesion of which less lies in the field of the other image was not imaged there."""


class Outcome(str, Enum):
    """What became of a lesion."""

    PERSISTED = "persisted"
    NEW = "new"
    VANISHED = "vanished"
    MERGED = "merged"
    SPLIT = "split"
    REGROUPED = "merged and split"
    OUTSIDE = "outside the other image"


@dataclass(frozen=True)
class Match:
    """Lesions that belong together, or one that has no counterpart.

    Attributes:
        structure: whose lesions they are.
        outcome: what became of them.
        before: numbers of the lesions in the earlier study.
        after: those in the later one.
        matched_by: "overlap", "distance", or "" for a lesion without counterpart.
        overlap: the largest part of the smaller of two of these lesions that both share, 0 to 1.
        distance_mm: between the centres of gravity of all before, moved, and of all after; None
            without counterpart.
    """

    structure: str
    outcome: Outcome
    before: tuple[int, ...]
    after: tuple[int, ...]
    matched_by: str = ""
    overlap: float = 0.0
    distance_mm: float | None = None


def match_lesions(
    before: LesionMap,
    after: LesionMap,
    matrix: NDArray[np.float64],
    *,
    farthest_mm: float = FARTHEST_MM,
) -> list[Match]:
    """Match the lesions of two studies.

    Lesions that overlap, after the earlier ones are moved, are the edges of a bipartite graph, and
    the parts of this graph are the matches: one to one has persisted, several to one have merged,
    one to several has split. Lesions that remain are then paired by the distances of their centres
    of gravity, so that as many as possible have a counterpart and their sum is smallest.

    Args:
        before: lesions of the earlier study.
        after: those of the later one.
        matrix: (4, 4), takes RAS+ mm of the earlier study to those of the later one.
        farthest_mm: lesions that do not overlap are one if they are at most so far apart; 0 leaves
            all those apart.

    Returns:
        First those with a lesion before, in its order, then the new ones.

    Example:
        >>> match_lesions(before, after, np.eye(4))[0].outcome  # doctest: +SKIP
        <Outcome.PERSISTED: 'persisted'>
    """
    shared = measure_shared(before, after, matrix)
    old, new = shared.shape
    first, second = np.nonzero(shared >= LEAST_OVERLAP)
    places_before = _list_centroids(before) @ matrix[:3, :3].T + matrix[:3, 3]
    places_after = _list_centroids(after)
    lone_before = np.setdiff1d(np.arange(old), first)
    lone_after = np.setdiff1d(np.arange(new), second)
    near = _pair_nearest(places_before[lone_before], places_after[lone_after], farthest_mm)
    first = np.append(first, lone_before[near[0]])
    second = np.append(second, lone_after[near[1]])
    graph = coo_array((np.ones(len(first)), (first, old + second)), (old + new, old + new))
    groups = connected_components(graph, directed=False)[1] if old + new else np.zeros(0, int)
    matches = []
    for group in dict.fromkeys(groups.tolist()):
        members = np.flatnonzero(groups == group)
        mine, theirs = members[members < old], members[members >= old] - old
        if len(mine) and len(theirs):
            apart = _weigh(places_before, before, mine) - _weigh(places_after, after, theirs)
            most = float(shared[np.ix_(mine, theirs)].max())
            matches.append(_make_match(before, mine, theirs, most, float(np.linalg.norm(apart))))
        else:
            matches.append(_make_lone(before, after, mine, theirs, matrix))
    return matches


def _make_match(
    before: LesionMap, mine: NDArray, theirs: NDArray, overlap: float, distance_mm: float
) -> Match:
    several = len(mine) > 1, len(theirs) > 1
    outcome = {
        (False, False): Outcome.PERSISTED,
        (True, False): Outcome.MERGED,
        (False, True): Outcome.SPLIT,
        (True, True): Outcome.REGROUPED,
    }[several]
    return Match(
        before.structure,
        outcome,
        tuple(int(n) + 1 for n in mine),
        tuple(int(n) + 1 for n in theirs),
        "overlap" if overlap >= LEAST_OVERLAP else "distance",
        overlap,
        distance_mm,
    )


def _make_lone(
    before: LesionMap,
    after: LesionMap,
    mine: NDArray,
    theirs: NDArray,
    matrix: NDArray[np.float64],
) -> Match:
    """A lesion without counterpart: vanished, new, or not within the other image."""
    if len(mine):
        imaged = measure_imaged(before, int(mine[0]) + 1, matrix, after.field)
        outcome = Outcome.VANISHED
    else:
        back = np.linalg.inv(matrix)
        imaged = measure_imaged(after, int(theirs[0]) + 1, back, before.field)
        outcome = Outcome.NEW
    if imaged < LEAST_IMAGED:
        outcome = Outcome.OUTSIDE
    old, new = (tuple(int(n) + 1 for n in side) for side in (mine, theirs))
    return Match(before.structure, outcome, old, new)


def _list_centroids(lesions: LesionMap) -> NDArray[np.float64]:
    places = [one.centroid_mm for one in lesions.measurements]
    return np.array(places, dtype=float).reshape(-1, 3)


def _weigh(places: NDArray, lesions: LesionMap, chosen: NDArray) -> NDArray[np.float64]:
    """The common centre of gravity of some lesions."""
    weights = [lesions.measurements[n].volume_ml for n in chosen]
    return np.asarray(np.average(places[chosen], axis=0, weights=weights))


def _pair_nearest(
    before: NDArray[np.float64], after: NDArray[np.float64], farthest_mm: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs within a distance: as many as possible, and of these the nearest."""
    apart = np.linalg.norm(before[:, None] - after[None, :], axis=-1)
    allowed = apart <= farthest_mm if farthest_mm > 0 else np.zeros(apart.shape, bool)
    forbidden = (len(before) + len(after) + 1) * (farthest_mm + 1)
    rows, columns = linear_sum_assignment(np.where(allowed, apart, forbidden))
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]
