"""Tests of medseg.export.contours: outlines enclose the pixels that they were traced around."""

from __future__ import annotations

import numpy as np
import pytest
from export.polygon_filling import RULES, fill, measure_area
from matplotlib.path import Path
from scipy import ndimage

from medseg.datasets.lidc.outline import find_inside
from medseg.export.contours import trace_outlines


def draw(*rows):
    """A slice (I, J) from rows of text; all but a dot is within."""
    return np.array([[letter != "." for letter in row] for row in rows]).T


SLICES = {
    "one pixel": draw("...", ".x.", "..."),
    "whole slice": draw("xxx", "xxx"),
    "one pixel is the slice": draw("x"),
    "border": draw("x..x", "....", "xx.x"),
    "hole": draw("xxxxx", "x...x", "x.x.x", "x...x", "xxxxx"),
    "two holes in a row": draw("xxxxxx", "x.xx.x", "xxxxxx"),
    "two holes above each other": draw("xxx", "x.x", "xxx", "x.x", "xxx"),
    "hole beside a corner": draw("xxx.", "xx.x", "x.xx", "xxxx"),
    "ring in ring": draw(*("xxxxxxx", "x.....x", "x.xxx.x", "x.x.x.x", "x.xxx.x", "x.....x")),
    "diagonal touch": draw("x.", ".x"),
    "other diagonal touch": draw(".x", "x."),
    "holes that touch": draw("xxxx", "x.xx", "xx.x", "xxxx"),
    "ends that touch": draw("xxx", "x.x", "xx."),
    "chess board": np.indices((6, 7)).sum(axis=0) % 2 == 0,
}


def make_random_slices():
    rng = np.random.default_rng(0)
    for number in range(150):
        shape = rng.integers(1, 16, 2)
        noise = rng.random(shape)
        yield (ndimage.gaussian_filter(noise, 1) > 0.5) if number % 2 else noise < rng.random()


@pytest.fixture(scope="module")
def slices():
    return [*SLICES.values(), *make_random_slices()]


@pytest.mark.parametrize("rule", RULES)
def test_polygons_enclose_the_pixels_by_each_rule_of_filling(slices, rule):
    for plane in slices:
        np.testing.assert_array_equal(fill(trace_outlines(plane), plane.shape, rule), plane)


def test_matplotlib_finds_the_same_pixels_inside():
    plane = SLICES["ring in ring"]
    centres = np.argwhere(np.ones_like(plane))
    inside = [Path(p, closed=False).contains_points(centres) for p in trace_outlines(plane)]
    np.testing.assert_array_equal(np.any(inside, axis=0).reshape(plane.shape), plane)


def test_the_rule_for_outlines_of_readers_finds_the_same_pixels_inside(slices):
    """That of LIDC: whole numbers, here half pixels, strictly within by winding number."""
    for plane in slices:
        found = np.zeros(plane.shape, bool)
        for polygon in trace_outlines(plane):
            halves = find_inside((2 * polygon).astype(int))
            centres = halves[(halves % 2 == 0).all(axis=1)] // 2
            found[tuple(centres.T)] = True
        np.testing.assert_array_equal(found, plane)


def test_areas_are_those_of_the_pixels(slices):
    for plane in slices:
        assert sum(map(measure_area, trace_outlines(plane))) == plane.sum()


def test_there_is_one_polygon_for_each_part_that_is_connected_by_edges(slices):
    for plane in slices:
        assert len(trace_outlines(plane)) == ndimage.label(plane)[1]


def test_points_are_corners_of_pixels_and_each_step_goes_along_one_axis(slices):
    for plane in slices:
        for polygon in trace_outlines(plane):
            np.testing.assert_array_equal(polygon % 1, 0.5)
            steps = polygon - np.roll(polygon, 1, axis=0)
            np.testing.assert_array_equal((steps != 0).sum(axis=1), 1)


def test_a_hole_is_joined_by_a_keyhole():
    (polygon,) = trace_outlines(draw("xxx", "x.x", "xxx"))
    outer = [(-0.5, 2.5), (-0.5, 0.5)]
    hole = [(0.5, 0.5), (0.5, 1.5), (1.5, 1.5), (1.5, 0.5), (0.5, 0.5)]
    corners = [(-0.5, 0.5), (-0.5, -0.5), (2.5, -0.5), (2.5, 2.5)]
    expected = [*outer, *hole, *corners]
    at = expected.index(tuple(polygon[0]))
    assert list(map(tuple, polygon)) == expected[at:] + expected[:at]


def test_straight_edges_have_no_points_between_their_ends():
    (polygon,) = trace_outlines(np.ones((40, 30)))
    assert sorted(map(tuple, polygon)) == [(-0.5, -0.5), (-0.5, 29.5), (39.5, -0.5), (39.5, 29.5)]


def test_many_holes_in_a_row_do_not_exhaust_the_stack():
    plane = np.ones((4001, 3))
    plane[1::2, 1] = 0
    (polygon,) = trace_outlines(plane)
    assert measure_area(polygon) == plane.sum()


def test_an_empty_slice_has_no_outlines():
    assert trace_outlines(np.zeros((4, 3))) == []
