"""Figure: draw a topology, with nodes shaded by the smallest pruned network that has them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from medseg.networks.topology import IMAGE, TOPOLOGIES, Input, Node, Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class EdgeStyle(NamedTuple):
    """How the edges of one kind look, and what the legend calls them."""

    label: str
    colour: str
    style: Literal["-", "--"]


INK = "#22303c"
DOWN = EdgeStyle("down: max pooling", "#7d8894", "-")
SKIP = EdgeStyle("skip: concatenation", "#3f7fb0", "--")
UP = EdgeStyle("up: transposed convolution or interpolation", "#c8553d", "-")
ENTRY = EdgeStyle("the image", INK, "-")
SHADES = ("#123c5a", "#1f6a8c", "#4a9ab5", "#8cc3d1", "#bfdfe5", "#e0f0f3")  # L1 to L6

INCHES = 0.56  # per unit of the drawing; a column is 2 units wide
WIDTH = 10.4  # units that the legends need
RADIUS = 0.46
RING = 0.56  # radius of the ring around a node that carries a head


def draw(topology: str, depth: int, path: str | os.PathLike[str]) -> None:
    """Draw a topology into an SVG, PNG or PDF file, as its suffix says.

    Matplotlib is imported here only, because that takes time.

    Args:
        topology: a key of `TOPOLOGIES`.
        depth: number of down-samplings, 2 to 6.
        path: the file to write, in a folder that exists; an SVG has the same bytes on every run.

    Raises:
        ValueError: an unknown topology, a depth outside 2 to 6, or a suffix unknown to matplotlib.

    Example:
        >>> draw("unet_plusplus", 4, "unet_plusplus.svg")  # doctest: +SKIP
    """
    if topology not in TOPOLOGIES or depth not in range(2, 7):
        raise ValueError(
            f"a drawing needs one of {', '.join(TOPOLOGIES)} and a depth of 2 to 6, got "
            f"{topology!r} and {depth!r}: choose among these"
        )
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    plan = TOPOLOGIES[topology](depth)
    margin = max(0.0, WIDTH - 2 * depth - 3.4) / 2
    left, right = -2.4 - margin, 2 * depth + 1.0 + margin
    bottom, top = -_compute_row_height(depth) * depth - 2.5, max(_compute_apex(depth), RING) + 0.4
    figure = Figure(figsize=((right - left) * INCHES, (top - bottom) * INCHES))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    _draw_plan(axes, plan)
    metadata = {"Date": None} if os.fspath(path).endswith(".svg") else None
    with rc_context({"svg.hashsalt": "medseg"}):
        figure.savefig(path, dpi=160, metadata=metadata)


def _draw_plan(axes: Axes, plan: Topology) -> None:
    levels = _find_pruning_levels(plan)
    place = {IMAGE: (-1.4, 0.0)} | {node: _place(node, plan.depth) for node in plan.table}
    for node, inputs in plan.table.items():
        for each in inputs:
            gaps = [_compute_gap(end, plan.heads) for end in (each.source, node)]
            _draw_edge(axes, each, node, place=place, gaps=gaps)
        shade = SHADES[levels[node] - 1]
        _draw_node(axes, str(node), place[node], shade=shade, head=node in plan.heads)
    axes.text(-1.5, 0, "image", ha="right", va="center", color=INK, size=9)
    _draw_legends(axes, sorted(set(levels.values())), floor=min(y for _, y in place.values()) - 0.8)


def _find_pruning_levels(plan: Topology) -> dict[Node, int]:
    """Smallest level L at which `prune(L)` keeps the node."""
    levels: dict[Node, int] = {}
    for level in plan.levels:
        for node in plan.prune(level).table:
            levels.setdefault(node, level)
    return levels


def _compute_apex(steps: int) -> float:
    """Height of the arc of a skip over that many columns: above the rings, fanning out."""
    return 0.7 + 0.42 * (steps - 2)


def _compute_row_height(depth: int) -> float:
    """Units from a level to the next, so that the longest arc of level 1 stays below level 0."""
    return max(1.5, _compute_apex(depth - 1) + RING + 0.1)


def _place(node: Node, depth: int) -> tuple[float, float]:
    """Deeper nodes move to the right, so that the plain U-Net is a V."""
    return node.level + 2.0 * node.column, -_compute_row_height(depth) * node.level


def _compute_gap(node: Node, heads: Sequence[Node]) -> float:
    """Points that an arrow keeps from the centre of a node."""
    if node == IMAGE:
        return 0.0
    return (RING if node in heads else RADIUS) * INCHES * 72 + 1.5


def _draw_edge(
    axes: Axes,
    each: Input,
    node: Node,
    *,
    place: Mapping[Node, tuple[float, float]],
    gaps: Sequence[float],
) -> None:
    from matplotlib.patches import FancyArrowPatch

    source, rise = each
    look = ENTRY if source == IMAGE else SKIP if rise == 0 else UP if rise > 0 else DOWN
    steps = node.column - source.column if rise == 0 else abs(rise)
    bend = 0.0 if steps == 1 else _compute_apex(steps) / steps
    axes.add_patch(
        FancyArrowPatch(
            place[source],
            place[node],
            arrowstyle="-|>,head_length=4.5,head_width=2.2",
            connectionstyle=f"arc3,rad={-bend}",
            shrinkA=gaps[0],
            shrinkB=gaps[1],
            mutation_scale=1,
            color=look.colour,
            linestyle=look.style,
            linewidth=1.2 if steps == 1 else 0.9,
            zorder=1,
        )
    )


def _draw_node(
    axes: Axes, name: str, place: tuple[float, float], *, shade: str, head: bool
) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle(place, RADIUS, facecolor=shade, edgecolor="none", zorder=2))
    if head:
        axes.add_patch(Circle(place, RING, fill=False, edgecolor=INK, linewidth=1.1, zorder=2))
    ink = "white" if SHADES.index(shade) < 3 else INK
    axes.text(*place, name, ha="center", va="center", color=ink, size=7.5, zorder=3)


def _draw_legends(axes: Axes, levels: Sequence[int], *, floor: float) -> None:
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    edges = [
        Line2D([], [], color=edge.colour, linestyle=edge.style, linewidth=1.4, label=edge.label)
        for edge in (DOWN, SKIP, UP)
    ]
    nodes = [
        Line2D([], [], marker="o", markersize=9, linestyle="", color=SHADES[level - 1])
        for level in levels
    ]
    ring = Line2D([], [], marker="o", markersize=9, linestyle="", color=INK, fillstyle="none")
    start = sum(axes.get_xlim()) / 2 - WIDTH / 2
    for handles, labels, shift, title, columns in (
        ([*edges, ring], [DOWN.label, SKIP.label, UP.label, "carries a head"], 0.2, None, 1),
        (nodes, [f"L{level}" for level in levels], 6.9, "smallest prune(L) that holds it", 2),
    ):
        legend = Legend(
            axes,
            handles,
            labels,
            title=title,
            ncols=columns,
            loc="upper left",
            bbox_to_anchor=(start + shift, floor),
            bbox_transform=axes.transData,
            alignment="left",
            frameon=False,
            fontsize=8,
            title_fontsize=8,
            labelcolor=INK,
        )
        axes.add_artist(legend)
