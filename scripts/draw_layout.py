"""Draw the rooms of medseg and the imports between them, or check that the picture is current.

python scripts/draw_layout.py [--check]

A room is a package or a module at the top of medseg/. The picture is drawn from the imports alone.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PACKAGE = Path(__file__).resolve().parent.parent / "medseg"
PICTURE = PACKAGE.parent / "docs" / "layout.svg"

RANKS = {
    **dict.fromkeys(("base", "geometry", "labels"), 0),
    **dict.fromkeys(("ingest", "transforms", "networks", "losses", "metrics", "plausibility"), 1),
    **dict.fromkeys(("datasets", "engines", "inference"), 2),
    **dict.fromkeys(("evaluation", "export", "report"), 3),
    "bundles": 4,
    "cli": 5,
}
"""Room -> rank. An import leads to a lower rank, or stays within its room."""

UNDRAWN = ("base", "geometry", "labels")
"""What most rooms import: arrows to it would hide the others."""

INK, FILL, ARROW = "#22303c", "#e0f0f3", "#1f6a8c"
WIDTH, HEIGHT, GAP, RISE = 2.7, 1.45, 0.3, 2.15  # of a box, and between boxes and ranks, in inches


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

    rooms = find_rooms()
    rows = sorted({RANKS[room.name] for room in rooms}, reverse=True)
    in_row = {rank: [r for r in rooms if RANKS[r.name] == rank] for rank in rows}
    in_row = {
        rank: sorted(row, key=lambda r: [*RANKS].index(r.name)) for rank, row in in_row.items()
    }
    width = max(map(len, in_row.values())) * (WIDTH + GAP) + GAP
    height = (len(rows) - 1) * RISE + HEIGHT + 2 * GAP
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    corners = {}
    for step, rank in enumerate(rows):
        row = in_row[rank]
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for column, room in enumerate(row):
            corners[room.name] = (
                left + column * (WIDTH + GAP),
                height - GAP - HEIGHT - step * RISE,
            )
            _draw_room(axes, room, corners[room.name])
    _draw_arrows(axes, corners)
    note = "Most rooms import base or geometry: these arrows are left out."
    axes.text(corners["labels"][0] + WIDTH + GAP, GAP + HEIGHT / 2, note, size=8.5, color=INK)
    with rc_context({"svg.hashsalt": "medseg", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _draw_room(axes: Axes, room: Room, corner: tuple[float, float]) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = corner
    style = "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=style, facecolor=FILL, edgecolor=INK)
    axes.add_patch(box)
    name = f"{room.name}.py" if room.is_file else f"{room.name}/"
    axes.text(x + 0.1, y + HEIGHT - 0.1, name, va="top", size=12, weight="bold", color=INK)
    summary = fill(room.summary, 38, max_lines=4)
    axes.text(x + 0.1, y + HEIGHT - 0.38, summary, va="top", size=8.5, color=INK)
    inner = fill("  ".join(f"{folder}/" for folder in room.folders), 42)
    axes.text(x + 0.1, y + 0.08, inner, va="bottom", size=8, color=ARROW)


def _draw_arrows(axes: Axes, corners: dict[str, tuple[float, float]]) -> None:
    from matplotlib.patches import FancyArrowPatch

    pairs = [pair for pair in sorted(count_imports()) if pair[1] not in UNDRAWN]
    above = {name: sorted((corners[a][0], a) for a, b in pairs if b == name) for name in corners}
    below = {name: sorted((corners[b][0], b) for a, b in pairs if a == name) for name in corners}
    for importing, imported in pairs:
        leaving = [name for _, name in below[importing]].index(imported) + 1
        arriving = [name for _, name in above[imported]].index(importing) + 1
        start = corners[importing][0] + WIDTH * leaving / (len(below[importing]) + 1)
        end = corners[imported][0] + WIDTH * arriving / (len(above[imported]) + 1)
        axes.add_patch(
            FancyArrowPatch(
                (start, corners[importing][1]),
                (end, corners[imported][1] + HEIGHT),
                arrowstyle="-|>,head_length=5,head_width=2.5",
                mutation_scale=1,
                color=ARROW,
                linewidth=1.1,
                alpha=0.75,
                zorder=0,
            )
        )


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
