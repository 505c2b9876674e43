"""Contours: outlines of a binary slice, as closed polygons along the edges of its pixels.

An outline runs along the edges between pixels within and without. So its area is exactly that of
the pixels, the centre of each pixel is half a pixel away from it, and whoever asks which centres it
encloses gets the same pixels back, also where coordinates are rounded.

A hole is joined to its outline by a keyhole: a channel of no width that runs to the hole and back.
Islands, also those in holes, are polygons of their own. So no two polygons overlap, and it does not
matter whether a reader unites them, as plastimatch does unless told otherwise, combines them by
exclusive or, as platipy and dcmrtstruct2nii do, or fills them by winding number: holes turn the
other way round. The other technique, CLOSEDPLANAR_XOR, is newer, and readers such as Orthanc's skip
contours of that type. The channel runs between pixels as well, so no centre lies on it. plastimatch
and dcmrtstruct2nii read back exactly the voxels that were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def trace_outlines(plane: NDArray) -> list[NDArray[np.float64]]:
    """Trace the outlines of a slice.

    Pixels that touch at a corner only do not belong together. A polygon is closed by the way from
    its last point to its first, which is not repeated.

    Args:
        plane: (I, J); what is not 0 is within. What is beyond its border is without.

    Returns:
        The polygons, each (n, 2) in pixels, where 0 is the centre of the first one. None where the
        slice is empty.

    Source: DICOM PS3.3 section C.8.8.6.3, the keyhole technique.

    Example:
        >>> trace_outlines(np.array([[0, 0, 0], [0, 1, 0]]))[0].tolist()
        [[1.5, 1.5], [0.5, 1.5], [0.5, 0.5], [1.5, 0.5]]
    """
    inside = np.pad(np.asarray(plane) != 0, 1)
    if not inside.any():
        return []
    edges = _find_edges(inside)
    rings = list(_follow(edges))
    holes = [ring for ring in rings if edges.is_of_hole(ring[-1])]
    channels = _find_channels(edges, holes, inside)
    drawn: dict[int, list[int]] = {}
    for hole in sorted(holes, key=lambda ring: edges.left[ring[-1]], reverse=True):
        # a channel leads to lower i, so holes that are joined to this one are drawn already
        drawn[hole[-1]] = [edges.left[hole[-1]], *_draw(edges, hole, channels, drawn)]
    return [
        _to_points(list(_draw(edges, ring, channels, drawn)), edges.stride)
        for ring in rings
        if not edges.is_of_hole(ring[-1])
    ]


@dataclass(frozen=True)
class _Edges:
    """The horizontal edges of all outlines, each in the way that has the inside on its right.

    A vertical edge has no number of its own: it is the way to a horizontal edge from the one
    before. Corners of pixels are numbered as `i * stride + j`, which is called their place.

    Attributes:
        start: the place where each begins.
        end: the place where it ends.
        left: the place of its end of lower i.
        following: the edge that follows each.
        upper: the places of the upper ends of all vertical edges, sorted.
        led_to: the edge to which each of these leads.
        stride: of places.
    """

    start: Sequence[int]
    end: Sequence[int]
    left: Sequence[int]
    following: Sequence[int]
    upper: NDArray[np.int64]
    led_to: NDArray[np.int64]
    stride: int

    def is_of_hole(self, edge: int) -> bool:
        """Whether the ring of an edge is a hole, where the edge is the one of lowest left place."""
        return self.start[edge] != self.left[edge]


def _find_edges(inside: NDArray[np.bool_]) -> _Edges:
    """Find all edges from the corners of the outlines.

    On each line of corners, edges begin and end in turn. Where two pixels touch at a corner only,
    an edge ends and another one begins; there the outline turns to the edge of the same pixel.
    """
    nw, ne, sw, se = inside[:-1, :-1], inside[1:, :-1], inside[:-1, 1:], inside[1:, 1:]
    is_touch = (nw == se) & (ne == sw) & (nw != ne)
    times = (nw ^ ne ^ sw ^ se) + 2 * is_touch
    j, i = np.nonzero(times.T)
    j, i = np.repeat(j, times[i, j]), np.repeat(i, times[i, j])
    place = i * inside.shape[1] + j
    is_second = np.append(False, place[1:] == place[:-1])
    vertical = np.lexsort((is_second ^ ne[i, j], place))
    across = np.empty(len(place), np.int64)
    across[vertical[0::2]], across[vertical[1::2]] = vertical[1::2], vertical[0::2]
    begin = np.arange(0, len(place), 2)
    begin += ~se[i[::2], j[::2]]
    finish = begin ^ 1
    upper, lower = vertical[0::2], vertical[1::2]
    return _Edges(
        start=place[begin].tolist(),
        end=place[finish].tolist(),
        left=place[0::2].tolist(),
        following=(across[finish] // 2).tolist(),
        upper=place[upper],
        led_to=np.where(begin[upper // 2] == upper, upper, lower) // 2,
        stride=inside.shape[1],
    )


def _follow(edges: _Edges) -> Iterator[list[int]]:
    """The edges of each ring in turn; its last one is that of the lowest left place."""
    seen = bytearray(len(edges.start))
    for first in range(len(edges.start)):
        ring, edge = [], first
        while not seen[edge]:
            seen[edge] = True
            ring.append(edge)
            edge = edges.following[edge]
        if ring:
            last = min(range(len(ring)), key=lambda n: edges.left[ring[n]])
            yield ring[last + 1 :] + ring[: last + 1]


def _find_channels(
    edges: _Edges, holes: Sequence[Sequence[int]], inside: NDArray[np.bool_]
) -> Mapping[int, list[tuple[int, int]]]:
    """Join each hole to the outline that is met on the way from its left corner to lower i.

    Returns:
        edge -> the channels from the vertical edge that leads to it, in its way: the place where a
        channel begins, and the last edge of the hole where it ends.
    """
    if not holes:
        return {}
    is_within = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]
    i = np.where(is_within, -1, np.arange(len(is_within))[:, None])
    nearest = np.maximum.accumulate(i, axis=0)
    channels: dict[int, list[tuple[int, int]]] = {}
    for ring in holes:
        i_hole, j = divmod(edges.left[ring[-1]], edges.stride)
        place = int(nearest[i_hole - 1, j]) * edges.stride + j
        edge = int(edges.led_to[np.searchsorted(edges.upper, place, side="right") - 1])
        channels.setdefault(edge, []).append((place, ring[-1]))
    for edge, met in channels.items():
        met.sort(reverse=edges.start[edge] < met[0][0])
    return channels


def _draw(
    edges: _Edges,
    ring: Sequence[int],
    channels: Mapping[int, Sequence[tuple[int, int]]],
    drawn: Mapping[int, Sequence[int]],
) -> Iterator[int]:
    """The places along a ring, with all holes that are joined to it."""
    for edge in ring:
        for place, hole in channels.get(edge, ()):
            yield place
            yield from drawn[hole]
            yield place
        yield edges.start[edge]
        yield edges.end[edge]


def _to_points(places: list[int], stride: int) -> NDArray[np.float64]:
    """Places as points, without those that repeat the one before."""
    numbers = np.array(places)
    numbers = numbers[numbers != np.roll(numbers, 1)]
    return np.stack(np.divmod(numbers, stride), axis=1) - 0.5
