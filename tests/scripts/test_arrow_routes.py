"""Arrow routes: no arrow runs behind a box, and no two boxes share a line."""

import itertools

import pytest

WIDTH = 10.0


@pytest.fixture
def routes(script):
    return script("_arrow_routes")


@pytest.fixture
def boxes(routes):
    """Three rows: one box above the middle of two, and one over the whole width of them below."""
    return {
        "top": routes.Box(0, 4, 6),
        "left": routes.Box(1, 1, 4.4),
        "right": routes.Box(1, 5.6, 9),
        "wide": routes.Box(2, 1, 9),
    }


def test_an_arrow_to_the_next_row_drops_straight_into_its_box(routes, boxes):
    (way,) = routes.plan_ways(boxes, [("top", "left")], width=WIDTH)
    assert (way.trunk, way.drop, way.port) == (5, pytest.approx(2.7), None)


def test_an_arrow_over_a_row_passes_between_its_boxes(routes, boxes):
    boxes["wide"] = routes.Box(2, 1, 5)  # its middle, 3, is below the left box
    (way,) = routes.plan_ways(boxes, [("top", "wide")], width=WIDTH)
    assert way.port == 3
    assert boxes["left"].left > way.drop or boxes["left"].right < way.drop < boxes["right"].left


def test_an_arrow_over_a_row_stays_straight_where_nothing_is_in_its_way(routes, boxes):
    (way,) = routes.plan_ways(boxes, [("top", "wide")], width=WIDTH)
    assert (way.drop, way.port) == (5, None)  # 5 is between 4.4 and 5.6


def test_arrows_of_several_boxes_share_no_vertical_line(routes, boxes):
    arrows = [("top", "left"), ("top", "right"), ("top", "wide")]
    arrows += [("left", "wide"), ("right", "wide")]
    ways = routes.plan_ways(boxes, arrows, width=WIDTH)
    for one, other in itertools.combinations(ways, 2):
        if one.source != other.source:
            ends = [(way.drop if way.port is None else way.port) for way in (one, other)]
            assert abs(ends[0] - ends[1]) >= routes.APART
            assert abs(one.trunk - other.trunk) >= routes.APART


def test_each_box_has_a_lane_of_its_own_in_every_gutter_that_its_arrows_cross(routes, boxes):
    boxes["wide"] = routes.Box(2, 1, 5)
    ways = routes.plan_ways(boxes, [("top", "wide"), ("left", "wide")], width=WIDTH)
    lanes = routes.list_lanes(boxes, ways)
    assert lanes[0] == ["top"]
    assert sorted(lanes[1]) in (["left"], ["left", "top"])
    assert all(len(set(names)) == len(names) for names in lanes.values())
