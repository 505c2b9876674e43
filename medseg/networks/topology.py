"""Topology: the UNet++ family as data, an ordered table of nodes and what each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


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

    def ancestors(self, *heads: Node) -> Topology:
        """Return the part of the table that the given heads need, in the same order.

        This is the paper's pruning: the network at level L is `ancestors(Node(0, L))`.
        """
        wanted = set(heads)
        for node in reversed(list(self.table)):
            if node in wanted:
                wanted.update(source for source, _ in self.table[node])
        table = {node: inputs for node, inputs in self.table.items() if node in wanted}
        return Topology(self.name, table, tuple(head for head in self.heads if head in heads))

    def last_reads(self) -> dict[Node, tuple[Node, ...]]:
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
    table = _encoder(depth)
    for level in reversed(range(depth)):
        skip, below = Node(level, 0), Node(level + 1, depth - level - 1)
        table[Node(level, depth - level)] = (Input(skip, 0), Input(below, 1))
    return Topology("unet", table, (Node(0, depth),))


def unet_plusplus(depth: int) -> Topology:
    """UNet++: X(i, j) reads X(i, 0) to X(i, j - 1), then X(i + 1, j - 1) up-sampled.

    Source: Zhou, Siddiquee, Tajbakhsh and Liang 2018, equation 1; heads X(0, 1) to X(0, depth).
    """
    table = _encoder(depth)
    for column in range(1, depth + 1):
        for level in range(depth - column + 1):
            skips = tuple(Input(Node(level, earlier), 0) for earlier in range(column))
            table[Node(level, column)] = (*skips, Input(Node(level + 1, column - 1), 1))
    return Topology("unet_plusplus", table, tuple(Node(0, j) for j in range(1, depth + 1)))


TOPOLOGIES: dict[str, Callable[[int], Topology]] = {"unet": unet, "unet_plusplus": unet_plusplus}


def _encoder(depth: int) -> dict[Node, tuple[Input, ...]]:
    """The column of pooled maps X(0, 0) to X(depth, 0) that the family shares."""
    table: dict[Node, tuple[Input, ...]] = {Node(0, 0): (Input(IMAGE, 0),)}
    for level in range(1, depth + 1):
        table[Node(level, 0)] = (Input(Node(level - 1, 0), -1),)
    return table


def _check_input(name: str, node: Node, *, source: Node, rise: int, known: set[Node]) -> None:
    if source not in known:
        raise ValueError(
            f"a node reads earlier nodes only, {node} of {name} reads {source}: "
            f"put {source} before it in the table"
        )
    if rise != source.level - node.level:
        raise ValueError(
            f"the change of scale is the difference of the levels, {node} of {name} reads {source} "
            f"with {rise:+d}: write {source.level - node.level:+d}"
        )
