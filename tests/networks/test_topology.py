"""The topologies are the papers' tables."""

import pytest

from medseg.networks import TOPOLOGIES, Input, Node, Topology
from medseg.networks.topology import IMAGE

DEPTHS = range(2, 7)
FAMILY = [(name, depth) for name in TOPOLOGIES for depth in DEPTHS]


def sources(topology, node):
    return [str(source) for source, _ in topology.table[node]]


@pytest.mark.parametrize("depth", DEPTHS)
def test_unet_has_one_encoder_and_one_decoder(depth):
    assert len(TOPOLOGIES["unet"](depth).table) == (depth + 1) + depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_unet_plusplus_fills_the_triangle(depth):
    nodes = set(TOPOLOGIES["unet_plusplus"](depth).table)
    assert nodes == {(i, j) for i in range(depth + 1) for j in range(depth + 1 - i)}


def test_unet_plusplus_reads_every_earlier_node_of_its_level_then_the_one_below():
    topology = TOPOLOGIES["unet_plusplus"](4)
    assert sources(topology, Node(0, 4)) == ["X(0,0)", "X(0,1)", "X(0,2)", "X(0,3)", "X(1,3)"]
    assert sources(topology, Node(2, 1)) == ["X(2,0)", "X(3,0)"]
    assert sources(topology, Node(3, 0)) == ["X(2,0)"]


def test_unet_reads_the_encoder_then_the_decoder_below():
    topology = TOPOLOGIES["unet"](4)
    assert sources(topology, Node(0, 4)) == ["X(0,0)", "X(1,3)"]
    assert sources(topology, Node(3, 1)) == ["X(3,0)", "X(4,0)"]


@pytest.mark.parametrize("name", ["unet_e", "unet_plus"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_relatives_fill_the_same_triangle(name, depth):
    table = TOPOLOGIES[name](depth).table
    assert set(table) == set(TOPOLOGIES["unet_plusplus"](depth).table)


def test_unet_e_reads_the_encoder_at_its_level_and_the_node_below():
    topology = TOPOLOGIES["unet_e"](4)
    assert sources(topology, Node(0, 4)) == ["X(0,0)", "X(1,3)"]
    assert sources(topology, Node(1, 2)) == ["X(1,0)", "X(2,1)"]


def test_unet_plus_reads_the_node_below_and_its_left_neighbour():
    topology = TOPOLOGIES["unet_plus"](4)
    assert sources(topology, Node(0, 4)) == ["X(1,3)", "X(0,3)"]
    assert sources(topology, Node(1, 2)) == ["X(2,1)", "X(1,1)"]


def test_unet_3plus_reads_one_map_of_every_level():
    topology = TOPOLOGIES["unet_3plus"](4)
    # figure 2 of the paper, which draws X_De^3, here X(2, 2): two pooled, one skip, two enlarged
    assert topology.table[Node(2, 2)] == (
        (Node(0, 0), -2),
        (Node(1, 0), -1),
        (Node(2, 0), 0),
        (Node(3, 1), 1),
        (Node(4, 0), 2),
    )
    assert sources(topology, Node(0, 4)) == ["X(0,0)", "X(1,3)", "X(2,2)", "X(3,1)", "X(4,0)"]


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_decoder_node_of_unet_3plus_has_an_input_per_level(depth):
    table = TOPOLOGIES["unet_3plus"](depth).table
    decoder = [node for node in table if node.column > 0]
    assert decoder == [(level, depth - level) for level in reversed(range(depth))]
    for node in decoder:
        assert [source.level for source, _ in table[node]] == list(range(depth + 1))


def test_heads_are_the_top_row():
    assert TOPOLOGIES["unet"](3).heads == ((0, 3),)
    for name in ("unet_e", "unet_plus", "unet_plusplus"):
        assert TOPOLOGIES[name](3).heads == ((0, 1), (0, 2), (0, 3))


def test_heads_of_unet_3plus_are_at_every_level():
    assert TOPOLOGIES["unet_3plus"](3).heads == ((3, 0), (2, 1), (1, 2), (0, 3))


@pytest.mark.parametrize(("name", "alone"), [("unet_e", 3), ("unet_plusplus", 1), ("unet", 1)])
def test_without_deep_supervision_the_last_head_stands_alone_unless_all_do(name, alone):
    topology = TOPOLOGIES[name](3).keep_last_head()
    assert len(topology.heads) == alone
    assert topology.heads[-1] == Node(0, 3)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_pruning_keeps_the_head_of_that_column(level):
    for name in ("unet_e", "unet_plus", "unet_plusplus"):
        assert TOPOLOGIES[name](3).prune(level).heads == (Node(0, level),)
    assert TOPOLOGIES["unet_3plus"](3).prune(level).heads == (Node(3 - level, level),)


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_pruned_unet_e_is_the_unet(level):
    pruned = TOPOLOGIES["unet_e"](4).prune(level)
    assert dict(pruned.table) == dict(TOPOLOGIES["unet"](level).table)


@pytest.mark.parametrize("level", [0, 5, -1, 2.0, True, "2", None])
def test_a_level_without_a_head_is_refused(level):
    for name in ("unet_plusplus", "unet_3plus"):
        message = (
            rf"level is {level!r}, and this {name} has heads at the levels \[1, 2, 3, 4\]: choose"
        )
        with pytest.raises(ValueError, match=message):
            TOPOLOGIES[name](4).prune(level)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_ancestors_of_a_unet_plusplus_head_are_the_smaller_unet_plusplus(level):
    build = TOPOLOGIES["unet_plusplus"]
    pruned = build(4).select_ancestors(Node(0, level))
    assert list(pruned.table.items()) == list(build(level).table.items())
    assert pruned.heads == (Node(0, level),)
    assert pruned.depth == level


@pytest.mark.parametrize(("name", "depth"), FAMILY)
def test_nothing_is_computed_in_vain(name, depth):
    topology = TOPOLOGIES[name](depth)
    assert topology.select_ancestors(*topology.heads) == topology


@pytest.mark.parametrize(("name", "depth"), FAMILY)
def test_each_map_is_let_go_once_and_never_read_again(name, depth):
    topology = TOPOLOGIES[name](depth)
    held = {IMAGE}
    for node, done in topology.find_last_reads().items():
        assert {source for source, _ in topology.table[node]} <= held
        held = (held | {node}) - set(done)
    assert held == set()


def test_a_node_cannot_read_a_later_one():
    table = {Node(0, 0): (Input(Node(1, 0), 1),), Node(1, 0): (Input(Node(0, 0), -1),)}
    with pytest.raises(ValueError, match=r"X\(0,0\) of odd reads X\(1,0\): put X\(1,0\) before"):
        Topology("odd", table, (Node(0, 0),))


def test_a_change_of_scale_must_match_the_levels():
    table = {Node(0, 0): (Input(IMAGE, 0),), Node(2, 0): (Input(Node(0, 0), -1),)}
    with pytest.raises(ValueError, match=r"X\(2,0\) of odd reads X\(0,0\) with -1: write -2"):
        Topology("odd", table, (Node(2, 0),))


def test_a_head_must_be_a_node():
    with pytest.raises(ValueError, match=r"odd has X\(0,1\)"):
        Topology("odd", {Node(0, 0): (Input(IMAGE, 0),)}, (Node(0, 1),))
