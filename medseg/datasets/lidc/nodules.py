"""LIDC nodules: groups of the marks of several readers that show the same thing.

The collection does not state which marks of different readers show one nodule. The rule here:

1. Two marks of different readers are linked when they share a voxel, or else when the gap between
   them is at most one slice spacing, or 3 mm where a mark is a single point. A nodule and a
   non-nodule are never linked.
2. Links are taken up from the strongest to the weakest: overlapping marks by falling Dice, then the
   others by rising gap. Each joins the groups of its two marks, unless that would put two marks of
   one reader, or more than four marks, into one group.

So a mark is in exactly one group, and the order of the readers has no influence. Four is the number
of readers of a scan. The limit also holds where a file gives each mark a session of its own. A
group is ambiguous when one of its marks overlaps a mark of another group that it could not join,
for instance where one reader drew two nodules and the others drew them as one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from medseg.datasets.lidc.annotations_xml import Kind
from medseg.datasets.lidc.consensus import compute_dice
from medseg.datasets.lidc.marks import Region
from medseg.geometry import Geometry

POINT_REACH_MM = 3.0
"""Largest gap to a mark of a single point: what such a point stands for is smaller than this."""

PANEL = 4
"""Readers of a scan (Armato et al., 2011). LIDC-IDRI-0566 has eight sessions; the limit holds."""


@dataclass(frozen=True, eq=False)
class Group:
    """The marks of one nodule or non-nodule, at most one of each reader, sorted by reader."""

    regions: tuple[Region, ...]
    ambiguous: bool

    @property
    def kind(self) -> Kind:
        """A nodule as soon as one reader drew an outline."""
        kinds = {region.mark.kind for region in self.regions}
        return next(kind for kind in Kind if kind in kinds)

    @property
    def outlined_regions(self) -> tuple[Region, ...]:
        """The marks with an outline."""
        return tuple(r for r in self.regions if r.mark.kind is Kind.NODULE)


def group(regions: Sequence[Region], geometry: Geometry) -> list[Group]:
    """Group the marks of one scan, see the top of this file; sorted from the lowest slice up.

    Example:
        >>> group([], Geometry((4, 4, 4), np.eye(4)))
        []
    """
    spots = sorted((_Spot(region, geometry) for region in regions), key=lambda s: s.key)
    owner = {id(spot): [spot] for spot in spots}
    conflicts: set[int] = set()
    for _, overlap, a, b in sorted(_find_links(spots), key=lambda link: link[0]):
        one, other = owner[id(a)], owner[id(b)]
        if one is other:
            continue
        readers = {spot.reader for spot in (*one, *other)}
        if len(readers) < len(one) + len(other) or len(readers) > PANEL:
            conflicts |= {id(a), id(b)} if overlap else set()
            continue
        one.extend(other)
        owner.update({id(spot): one for spot in other})
    groups = {id(members): members for members in owner.values()}.values()
    return [_make_group(members, conflicts) for members in sorted(groups, key=_find_position)]


class _Spot:
    """A region with what linking needs, worked out once."""

    def __init__(self, region: Region, geometry: Geometry) -> None:
        self.region = region
        self.reader = region.mark.reader
        self.kind = region.mark.kind
        self.spacing_mm = geometry.spacing_mm[2]
        places = np.stack(np.unravel_index(region.voxels, geometry.shape), axis=1)
        self.points_mm: NDArray[np.float64] = geometry.voxel_to_world(places)
        self.low_mm, self.high_mm = self.points_mm.min(axis=0), self.points_mm.max(axis=0)
        lowest = places[:, 2].min()
        self.key = (int(lowest), self.kind.value, region.voxels.tolist())

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.points_mm)

    def reach_mm(self, other: "_Spot") -> float:
        if self.kind is other.kind is Kind.NODULE:
            return self.spacing_mm
        return max(POINT_REACH_MM, self.spacing_mm)

    def measure_gap_mm(self, other: "_Spot", *, most: float) -> float:
        """Smallest distance between voxel centres; infinite where it is above `most`."""
        apart = np.maximum(self.low_mm - other.high_mm, other.low_mm - self.high_mm)
        if np.linalg.norm(np.maximum(apart, 0)) > most:
            return np.inf
        distances, _ = self.tree.query(other.points_mm, distance_upper_bound=most)
        return float(np.min(distances))


_Link = tuple[tuple[int, float], bool, _Spot, _Spot]


def _find_links(spots: Sequence[_Spot]) -> Iterator[_Link]:
    """Every link as (strength, overlap, mark, mark), where the least strength is the strongest."""
    for a, b in combinations(spots, 2):
        if a.reader == b.reader or (a.kind is Kind.NON_NODULE) != (b.kind is Kind.NON_NODULE):
            continue
        reach = a.reach_mm(b) * (1 + 1e-6)
        gap = a.measure_gap_mm(b, most=reach)
        if gap > reach:
            continue
        overlap = compute_dice(a.region.voxels, b.region.voxels)
        strength = (0, -overlap) if overlap else (1, round(gap, 6))
        yield strength, overlap > 0, a, b


def _make_group(members: Sequence[_Spot], conflicts: set[int]) -> Group:
    ordered = sorted(members, key=lambda spot: spot.reader)
    ambiguous = any(id(spot) in conflicts for spot in members)
    return Group(tuple(spot.region for spot in ordered), ambiguous)


def _find_position(members: Sequence[_Spot]) -> tuple[int, str, list[int]]:
    return min(spot.key for spot in members)
