"""Arrow routes: the way of each arrow between boxes in rows, so that none runs behind a box.

All arrows of a box leave it by one trunk from its lower edge, run in a lane of the gutter below its
row, and drop into their boxes from above. Where a row lies between, the drop passes beside its
boxes. No two boxes share a lane or a vertical line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

APART, BESIDE, STEP = 0.12, 0.1, 0.04
"""Least distance of two vertical lines, and of a line and a box; how finely places are tried."""


class Box(NamedTuple):
    """A box: its row, 0 on top, and its left and right edge."""

    row: int
    left: float
    right: float

    @property
    def middle(self) -> float:
        """The place halfway between the edges."""
        return (self.left + self.right) / 2


class Way(NamedTuple):
    """The way of an arrow: trunk, drop and port are places from left to right.

    `port` is None where the drop leads straight into the box; otherwise it ends in the gutter above
    the row of the box, and a lane leads on to the port.
    """

    source: str
    target: str
    trunk: float
    drop: float
    port: float | None


class _Line(NamedTuple):
    """A vertical line through some levels: row r is level 2 r, the gutter below it 2 r + 1."""

    owner: str
    at: float
    levels: range


@dataclass
class _Plan:
    boxes: Mapping[str, Box]
    width: float
    lines: list[_Line] = field(default_factory=list)

    def take_place(self, owner: str, near: float, levels: range) -> float:
        """Take the place nearest to one at which a line meets no box and no line of another."""
        steps = range(int(self.width / STEP))
        places = [near, *sorted((k * STEP for k in steps), key=lambda at: abs(at - near))]
        at = next(place for place in places if self._is_free(owner, place, levels))
        self.lines.append(_Line(owner, at, levels))
        return at

    def _is_free(self, owner: str, at: float, levels: range) -> bool:
        near_box = any(
            2 * box.row in levels and box.left - BESIDE < at < box.right + BESIDE
            for box in self.boxes.values()
        )
        return not near_box and not any(
            line.owner != owner
            and abs(line.at - at) < APART
            and max(line.levels.start, levels.start) < min(line.levels.stop, levels.stop)
            for line in self.lines
        )


def plan_ways(
    boxes: Mapping[str, Box], arrows: Sequence[tuple[str, str]], *, width: float
) -> list[Way]:
    """Plan the way of each arrow, from a box to one in a lower row.

    Args:
        boxes: name -> box.
        arrows: (source, target), without repetition.
        width: of the picture.
    """
    plan, ports = _Plan(boxes, width), _place_ports(boxes, arrows)
    for (source, target), port in ports.items():
        above = 2 * boxes[target].row - 1
        plan.lines.append(_Line(source, port, range(above, above + 1)))
    drops = {}
    for (source, target), port in ports.items():
        levels = range(2 * boxes[source].row + 1, 2 * boxes[target].row)
        passes = len(levels) > 1
        drops[source, target] = plan.take_place(source, port, levels) if passes else port
    trunks = {}
    for source in dict.fromkeys(source for source, _ in arrows):
        below = 2 * boxes[source].row + 1
        trunks[source] = plan.take_place(source, boxes[source].middle, range(below, below + 1))
    return [
        Way(source, target, trunks[source], drop, None if drop == port else port)
        for ((source, target), port), drop in zip(ports.items(), drops.values(), strict=True)
    ]


def _place_ports(
    boxes: Mapping[str, Box], arrows: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """Where each arrow ends on the upper edge of its box, in the order of where they come from."""
    sources: dict[str, list[str]] = {}
    for source, target in arrows:
        sources.setdefault(target, []).append(source)
    return {
        (source, target): boxes[target].left
        + (boxes[target].right - boxes[target].left) * (place + 1) / (len(found) + 1)
        for target, found in sources.items()
        for place, source in enumerate(sorted(found, key=lambda name: boxes[name].middle))
    }


def list_lanes(boxes: Mapping[str, Box], ways: Iterable[Way]) -> dict[int, list[str]]:
    """The boxes whose arrows have a lane in each gutter, from the upper lane to the lower one."""
    found: dict[int, dict[str, None]] = {}
    for way in sorted(ways, key=lambda way: way.trunk):
        found.setdefault(boxes[way.source].row, {})[way.source] = None
        if way.port is not None:
            found.setdefault(boxes[way.target].row - 1, {})[way.source] = None
    return {gutter: list(names) for gutter, names in found.items()}
