"""Topology: the UNet++ family as data, an ordered table of nodes and what each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from medseg.base.arguments import is_integer


class Node(NamedTuple):
    """X(i, j) of the paper: level i counts the down-samplings, column j the steps from the encoder.

    Example:
        >>> str(Node(0, 1)), Node(0, 1).key
        ('X(0,1)', 'x0_1')
    """

    level: int
    column: int

    def __str__(self) -> str:
        return f"X({self.level},{self.column})"

    @property
    def key(self) -> str:
        """The node's name in a state dict."""
        return f"x{self.level}_{self.column}"


class Input(NamedTuple):
    """One feature map that a node reads, and by how many levels it rises on the way.

    `rise` is 0 for a skip, +k for a map up-sampled by k levels and -k for one pooled by k levels.
    """

    source: Node
    rise: int


IMAGE = Node(0, -1)
"""The image stands in column -1: the first node reads its input as every other node does."""


@dataclass(frozen=True)
class Topology:
    """An ordered table `node -> what it reads`, and the nodes that carry an output head.

    Attributes:
        name: key of the topology in `TOPOLOGIES`.
        table: every node in the order of computation; a node reads `IMAGE` or earlier nodes only.
        heads: nodes with an output head, shallowest network first.
        ensemble: without deep supervision all heads stand and their mean is the output, in
            training too; otherwise the last head stands alone.
        full_scale: how a decoder node computes. Off: it concatenates what it reads and convolves
            that twice. On, as in UNet 3+: it convolves each map that it reads to the same few
            channels, concatenates these and convolves them once; a coarse head enlarges its logits.

    Raises:
        ValueError: a node reads one that is not computed before it, a change of scale disagrees
            with the levels, or a head is not in the table.

    Example:
        >>> Topology("tiny", {Node(0, 0): (Input(IMAGE, 0),)}, (Node(0, 0),)).depth
        0
    """

    name: str
    table: Mapping[Node, tuple[Input, ...]]
    heads: tuple[Node, ...]
    ensemble: bool = False
    full_scale: bool = False

    def __post_init__(self) -> None:
        known = {IMAGE}
        for node, inputs in self.table.items():
            for source, rise in inputs:
                _check_input(self.name, node, source=source, rise=rise, known=known)
            known.add(node)
        if strangers := [str(head) for head in self.heads if head not in self.table]:
            raise ValueError(
                f"heads must be nodes of the table, {self.name} has {', '.join(strangers)}: "
                "add the node or drop the head"
            )

    @property
    def depth(self) -> int:
        """Number of down-samplings between the first level and the last."""
        return max(node.level for node in self.table)

    def select_ancestors(self, *heads: Node) -> Topology:
        """Return the part of the table that the given heads need, in the same order.

        This is the paper's pruning: the network at level L is `ancestors(Node(0, L))`.
        """
        wanted = set(heads)
        for node in reversed(list(self.table)):
            if node in wanted:
                wanted.update(source for source, _ in self.table[node])
        table = {node: inputs for node, inputs in self.table.items() if node in wanted}
        return replace(self, table=table, heads=tuple(head for head in self.heads if head in heads))

    def keep_last_head(self) -> Topology:
        """Return the part that stands without deep supervision: the last head, or an ensemble."""
        return self if self.ensemble else self.select_ancestors(self.heads[-1])

    @property
    def levels(self) -> dict[int, Node]:
        """The head that each pruning level keeps: level L keeps the head of column L.

        A head of column 0 stands on the encoder alone and is no network to keep.

        Example:
            >>> unet_plusplus(2).levels
            {1: Node(level=0, column=1), 2: Node(level=0, column=2)}
        """
        return {head.column: head for head in self.heads if head.column > 0}

    def prune(self, level: int) -> Topology:
        """Return the part of the table that the head of pruning level `level` needs.

        Raises:
            ValueError: the topology has no head at that level, or the level is no integer.

        Example:
            >>> unet_plusplus(4).prune(2).depth
            2
        """
        if not is_integer(level) or level not in self.levels:
            remedy = "choose one of them"
            if len(self.levels) < 2:
                remedy += ", or train a nested topology with deep_supervision=True"
            raise ValueError(
                f"level is {level!r}, and this {self.name} has heads at the levels "
                f"{list(self.levels)}: {remedy}"
            )
        return self.select_ancestors(self.levels[level])

    def find_last_reads(self) -> dict[Node, tuple[Node, ...]]:
        """Map each node to the maps that no later node reads; to itself too, if none ever does."""
        last_reader = {node: node for node in self.table}
        for node, inputs in self.table.items():
            last_reader.update({source: node for source, _ in inputs})
        return {
            node: tuple(source for source, reader in last_reader.items() if reader == node)
            for node in self.table
        }


def unet(depth: int) -> Topology:
    """U-Net: each decoder node X(i, depth - i) reads the encoder at its level, then the map below.

    Source: Ronneberger, Fischer and Brox 2015, figure 1; node names as in Zhou et al. 2018.
    """
    table = _make_encoder(depth)
    for level in reversed(range(depth)):
        skip, below = Node(level, 0), Node(level + 1, depth - level - 1)
        table[Node(level, depth - level)] = (Input(skip, 0), Input(below, 1))
    return Topology("unet", table, (Node(0, depth),))


def unet_e(depth: int) -> Topology:
    """UNet^e: U-Nets of depths 1 to `depth` on one encoder, each with a decoder of its own.

    X(i, j) reads X(i, 0), then X(i + 1, j - 1) up-sampled; the heads X(0, 1) to X(0, depth) are
    averaged. `prune(L)` gives the U-Net of depth L.

    Source: Zhou, Siddiquee, Tajbakhsh and Liang 2020, "UNet++: Redesigning Skip Connections to
    Exploit Multiscale Features in Image Segmentation", IEEE TMI 39(6), figure 1b, section II.
    """
    table = _make_encoder(depth)
    for node in _list_triangle(depth):
        below = Node(node.level + 1, node.column - 1)
        table[node] = (Input(Node(node.level, 0), 0), Input(below, 1))
    return Topology("unet_e", table, _list_top_row(depth), ensemble=True)


def unet_plus(depth: int) -> Topology:
    """UNet+: X(i, j) reads X(i + 1, j - 1) up-sampled, then its left neighbour X(i, j - 1).

    The up-sampled map comes first, unlike in the other tables: the order within a concatenation is
    free, and so weights of UNet+ and UNet^e, alike in every shape, differ in their keys.

    Source: Zhou et al. 2020 (see `unet_e`), figure 1c, section II; heads X(0, 1) to X(0, depth).
    """
    table = _make_encoder(depth)
    for node in _list_triangle(depth):
        below = Node(node.level + 1, node.column - 1)
        table[node] = (Input(below, 1), Input(Node(node.level, node.column - 1), 0))
    return Topology("unet_plus", table, _list_top_row(depth))


def unet_plusplus(depth: int) -> Topology:
    """UNet++: X(i, j) reads X(i, 0) to X(i, j - 1), then X(i + 1, j - 1) up-sampled.

    Source: Zhou, Siddiquee, Tajbakhsh and Liang 2018, equation 1; heads X(0, 1) to X(0, depth).
    """
    table = _make_encoder(depth)
    for node in _list_triangle(depth):
        skips = tuple(Input(Node(node.level, earlier), 0) for earlier in range(node.column))
        table[node] = (*skips, Input(Node(node.level + 1, node.column - 1), 1))
    return Topology("unet_plusplus", table, _list_top_row(depth))


def unet_3plus(depth: int) -> Topology:
    """UNet 3+: each decoder node X(i, depth - i) reads one map of every level.

    In this order: the encoder's X(k, 0) of the finer levels k < i pooled, X(i, 0), and the
    decoder's X(k, depth - k) of the coarser levels k > i enlarged, the last of them X(depth, 0).
    Every decoder level and X(depth, 0) carry a head, so that `prune(L)` keeps X(depth - L, L).

    Source: Huang et al. 2020, "UNet 3+: A Full-Scale Connected UNet for Medical Image
    Segmentation", ICASSP, equation 1 and section 2.2.
    """
    table = _make_encoder(depth)
    for level in reversed(range(depth)):
        encoder = tuple(Input(Node(k, 0), k - level) for k in range(level + 1))
        decoder = tuple(Input(Node(k, depth - k), k - level) for k in range(level + 1, depth + 1))
        table[Node(level, depth - level)] = encoder + decoder
    heads = tuple(Node(level, depth - level) for level in reversed(range(depth + 1)))
    return Topology("unet_3plus", table, heads, full_scale=True)


TOPOLOGIES: dict[str, Callable[[int], Topology]] = {
    build.__name__: build for build in (unet, unet_e, unet_plus, unet_plusplus, unet_3plus)
}


def _make_encoder(depth: int) -> dict[Node, tuple[Input, ...]]:
    """The column of pooled maps X(0, 0) to X(depth, 0) that the family shares."""
    table: dict[Node, tuple[Input, ...]] = {Node(0, 0): (Input(IMAGE, 0),)}
    for level in range(1, depth + 1):
        table[Node(level, 0)] = (Input(Node(level - 1, 0), -1),)
    return table


def _list_triangle(depth: int) -> Iterator[Node]:
    """Every X(i, j) with j > 0 and i + j <= depth, row by row, the coarsest first.

    So the large maps of the finer rows live side by side for as short as can be.
    """
    for level in reversed(range(depth)):
        for column in range(1, depth - level + 1):
            yield Node(level, column)


def _list_top_row(depth: int) -> tuple[Node, ...]:
    return tuple(Node(0, column) for column in range(1, depth + 1))


def _check_input(name: str, node: Node, *, source: Node, rise: int, known: set[Node]) -> None:
    if source not in known:
        raise ValueError(
            f"a node must read earlier nodes only, {node} of {name} reads {source}: "
            f"put {source} before it in the table"
        )
    if rise != source.level - node.level:
        raise ValueError(
            f"the change of scale must be the difference of the levels, {node} of {name} reads "
            f"{source} with {rise:+d}: write {source.level - node.level:+d}"
        )
