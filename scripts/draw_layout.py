"""Draw the rooms of medseg and the imports between them, or check that the picture is current.

python scripts/draw_layout.py [--check]

A room is a package or a module at the top of medseg/. The picture is drawn from the imports alone.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from _arrow_routes import Box, Way, list_lanes, plan_ways

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PACKAGE = Path(__file__).resolve().parent.parent / "medseg"
PICTURE = PACKAGE.parent / "docs" / "layout.svg"

RANKS = {
    **dict.fromkeys(("base", "geometry", "labels"), 0),
    **dict.fromkeys(("ingest", "transforms", "plausibility", "networks", "losses", "metrics"), 1),
    **dict.fromkeys(("datasets", "inference", "engines"), 2),
    **dict.fromkeys(("planning", "evaluation", "export", "report"), 3),
    **dict.fromkeys(("bundles", "gateway"), 4),
    "cli": 5,
}
"""Room -> rank. An import leads to a lower rank, or stays within its room. Rooms of one rank are
drawn in this order."""

UNDRAWN = ("base", "geometry", "labels")
"""What most rooms import: arrows to it would hide the others."""

INK, FILL = "#22303c", "#e9f3f5"
COLOURS = ("#1f6a8c", "#b5482a", "#2f7d4f", "#7b4fa3", "#9a6b00", "#c2407a", "#4a5a6a")
"""Of the rooms that import others, from the top; their arrows have the same colour."""

WIDTH, HEIGHT, GAP = 2.7, 1.3, 0.45  # of a box, and between the boxes of a row, in inches
GUTTER, LANE = 0.3, 0.17  # between two rows, and for each lane of arrows in it


class Room(NamedTuple):
    """A package or module at the top of medseg/."""

    name: str
    summary: str
    folders: tuple[str, ...]
    is_file: bool


def imported_rooms(source: str) -> Iterator[str]:
    """The rooms that a source imports, wherever in the file: "geometry", "ingest", ..."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: a relative import, write the whole name")
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for package, *rest in (name.split(".") for name in names):
            if package == "medseg" and rest and rest[0] != "__version__":
                yield rest[0]


def room_of(path: Path) -> str:
    """The room that a file of the package belongs to; "__init__" for the package's own file."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def count_imports() -> Counter[tuple[str, str]]:
    """(importing room, imported room) -> import statements."""
    return Counter(
        (room_of(path), other)
        for path in sorted(PACKAGE.rglob("*.py"))
        for other in imported_rooms(path.read_text())
        if room_of(path) not in ("__init__", other)
    )


def find_rooms() -> list[Room]:
    """All rooms with the first line of their docstring, without its heading."""
    rooms = []
    for name in sorted({room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}):
        folder = PACKAGE / name
        own = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{name}.py"
        first = (ast.get_docstring(ast.parse(own.read_text())) or "").split("\n")[0]
        inner = [p.parent for p in folder.rglob("__init__.py") if p.parent != folder]
        folders = tuple(sorted(p.relative_to(folder).as_posix() for p in inner))
        summary = (first.partition(": ")[2] or first).replace("`", "")
        rooms.append(Room(name, summary, folders, not folder.is_dir()))
    return rooms


def draw(path: Path) -> None:
    """Draw rooms in rows by rank, the highest on top, and an arrow for each pair that imports."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rooms = {room.name: room for room in find_rooms()}
    boxes, width = _place_boxes(rooms)
    arrows = [pair for pair in sorted(count_imports()) if pair[1] not in UNDRAWN]
    ways = plan_ways(boxes, arrows, width=width)
    lanes = list_lanes(boxes, ways)
    tops, height = _place_rows(1 + max(box.row for box in boxes.values()), lanes)
    sources = dict.fromkeys(
        source for _, source in sorted((boxes[w.source], w.source) for w in ways)
    )
    colours = dict(zip(sources, itertools.cycle(COLOURS), strict=False))
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    for name, room in rooms.items():
        box = boxes[name]
        _draw_room(axes, room, (box.left, tops[box.row] - HEIGHT), colours.get(name, INK))
    for way in ways:
        _draw_arrow(axes, _list_points(way, boxes, lanes, tops), colours[way.source])
    note = "Arrows have the colour of the room that imports.\nMost rooms import base or geometry: "
    note += "these arrows are left out."
    start = (boxes["labels"].right + GAP, GAP + HEIGHT / 2)
    axes.text(*start, note, size=8.5, color=INK, va="center")
    with rc_context({"svg.hashsalt": "medseg", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _place_boxes(rooms: Iterable[str]) -> tuple[dict[str, Box], float]:
    """The box of each room, a rank to a row, and the width of the picture."""
    ranks = sorted({RANKS[name] for name in rooms}, reverse=True)
    ordered = sorted(rooms, key=list(RANKS).index)
    rows = [[name for name in ordered if RANKS[name] == rank] for rank in ranks]
    width = max(map(len, rows)) * (WIDTH + GAP) + GAP
    boxes = {}
    for number, row in enumerate(rows):
        first = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for column, name in enumerate(row):
            left = first + column * (WIDTH + GAP)
            boxes[name] = Box(number, left, left + WIDTH)
    return boxes, width


def _place_rows(rows: int, lanes: Mapping[int, list[str]]) -> tuple[list[float], float]:
    """The upper edge of each row, counted from below, and the height of the picture."""
    tops = [GAP + HEIGHT]
    for gutter in reversed(range(rows - 1)):
        tops.insert(0, tops[0] + HEIGHT + GUTTER + LANE * len(lanes.get(gutter, ())))
    return tops, tops[0] + GAP


def _list_points(
    way: Way, boxes: Mapping[str, Box], lanes: Mapping[int, list[str]], tops: Sequence[float]
) -> list[tuple[float, float]]:
    """The corners of an arrow, from the box that imports to the one that is imported."""
    row, below = boxes[way.source].row, boxes[way.target].row

    def measure_lane(gutter: int) -> float:
        place = lanes[gutter].index(way.source)
        return tops[gutter] - HEIGHT - GUTTER / 2 - LANE * (place + 0.5)

    lane = measure_lane(row)
    points = [(way.trunk, tops[row] - HEIGHT), (way.trunk, lane), (way.drop, lane)]
    if way.port is not None:
        lane = measure_lane(below - 1)
        points += [(way.drop, lane), (way.port, lane)]
    return [*points, (points[-1][0], tops[below])]


def _draw_room(axes: Axes, room: Room, corner: tuple[float, float], colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = corner
    style = "round,pad=0,rounding_size=0.08"
    look = {"boxstyle": style, "facecolor": FILL, "edgecolor": colour, "linewidth": 1.4}
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, zorder=5, **look))
    text = {"zorder": 6, "color": INK}
    name = f"{room.name}.py" if room.is_file else f"{room.name}/"
    axes.text(x + 0.1, y + HEIGHT - 0.1, name, va="top", size=12, weight="bold", **text)
    summary = fill(room.summary, 38, max_lines=4)
    axes.text(x + 0.1, y + HEIGHT - 0.38, summary, va="top", size=8.5, **text)
    inner = fill("  ".join(f"{name}/" for name in room.folders if "/" not in name), 42)
    axes.text(x + 0.1, y + 0.08, inner, va="bottom", size=8, style="italic", **text)


def _draw_arrow(axes: Axes, points: Sequence[tuple[float, float]], colour: str) -> None:
    """Draw the parts of an arrow; a vertical part has a white edge where it crosses a lane."""
    look = {"color": colour, "linewidth": 1.3, "solid_capstyle": "round"}
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        across = y == to_y
        if not across:
            ends = [max(y, to_y) - 0.04, min(y, to_y) + 0.04]
            axes.plot([x, x], ends, color="white", linewidth=4, solid_capstyle="butt", zorder=2)
        axes.plot([x, to_x], [y, to_y], zorder=1 if across else 3, **look)
    x, y = points[-1]
    axes.plot([x], [y + 0.05], marker="v", markersize=6, color=colour, zorder=4)


def is_current() -> bool:
    """Whether the picture has the very bytes that `draw` writes."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / PICTURE.name
        draw(drawn)
        return PICTURE.is_file() and PICTURE.read_bytes() == drawn.read_bytes()


def main() -> int:
    """Exit status 1 if `--check` finds a picture that is not what the imports draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the drawing is out of date"
    )
    if not parser.parse_args().check:
        draw(PICTURE)
    elif not is_current():
        sys.stdout.write(f"{PICTURE} is not what the imports draw: run scripts/draw_layout.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
