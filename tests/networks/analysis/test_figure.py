"""The drawing shows every node and edge of the topology."""

import sys

import pytest

from medseg.networks import TOPOLOGIES, draw
from medseg.networks.analysis.figure import _find_pruning_levels


@pytest.mark.parametrize("name", TOPOLOGIES)
@pytest.mark.parametrize("depth", [2, 6])
def test_every_topology_is_drawn(tmp_path, name, depth):
    draw(name, depth, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_an_svg_is_the_same_on_every_run(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw("unet_plusplus", 3, tmp_path / name)
    first = (tmp_path / "a.svg").read_text()
    assert first == (tmp_path / "b.svg").read_text()
    assert "<svg" in first


def test_shades_are_the_level_of_the_first_network_that_holds_the_node():
    levels = _find_pruning_levels(TOPOLOGIES["unet_plusplus"](4))
    assert all(level == max(1, i + j) for (i, j), level in levels.items())
    assert set(_find_pruning_levels(TOPOLOGIES["unet"](4)).values()) == {4}


def test_shades_of_unet_3plus_start_at_the_first_level_that_can_be_kept():
    levels = _find_pruning_levels(TOPOLOGIES["unet_3plus"](4))
    assert {str(node): level for node, level in levels.items() if level > 1} == {
        "X(2,2)": 2,
        "X(1,3)": 3,
        "X(0,4)": 4,
    }


@pytest.mark.parametrize(("name", "depth"), [("vnet", 4), ("unet", 1), ("unet", 7)])
def test_other_topologies_and_depths_are_refused(tmp_path, name, depth):
    with pytest.raises(ValueError, match=r"one of unet, .*unet_3plus and a depth of 2 to 6, got"):
        draw(name, depth, tmp_path / "figure.svg")


def test_drawing_does_not_touch_pyplot(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    draw("unet", 2, tmp_path / "figure.svg")
    assert ("matplotlib.pyplot" in sys.modules) == loaded
