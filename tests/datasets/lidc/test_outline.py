"""Tests of medseg.datasets.lidc.outline."""

import numpy as np
import pytest

from medseg.datasets.lidc.outline import find_inside


def _pixels(points):
    return {tuple(pixel) for pixel in find_inside(points).tolist()}


def _block(x0, x1, y0, y1):
    return {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}


def test_the_outline_itself_is_outside():
    assert _pixels([(0, 0), (4, 0), (4, 3), (0, 3)]) == _block(1, 3, 1, 2)


def test_a_slanted_outline_leaves_the_pixels_on_its_edges_out():
    diamond = [(3, 0), (6, 3), (3, 6), (0, 3)]
    within = {(x, y) for x, y in _block(0, 6, 0, 6) if abs(x - 3) + abs(y - 3) < 3}
    assert _pixels(diamond) == within


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("closed", [True, False])
def test_neither_direction_nor_closing_nor_start_matter(turn, closed):
    points = [(2, 0), (5, 1), (6, 4), (3, 6), (0, 3)]
    expected = find_inside(points).tolist()
    moved = (points[2:] + points[:2])[::turn]
    assert find_inside(moved + moved[:1] if closed else moved).tolist() == expected


def test_both_loops_of_a_figure_of_eight_are_inside():
    bow_tie = [(0, 0), (6, 6), (6, 0), (0, 6)]  # crosses itself at (3, 3)
    left = {(1, 2), (1, 3), (1, 4), (2, 3)}
    assert _pixels(bow_tie) == left | {(6 - x, y) for x, y in left}


def test_an_outline_drawn_twice_encloses_the_same():
    square = [(0, 0), (3, 0), (3, 3), (0, 3)]
    assert _pixels(square * 2) == _pixels(square) == _block(1, 2, 1, 2)


def test_two_lobes_joined_by_a_line_enclose_both():
    lobes = [(0, 0), (3, 0), (3, 2), (8, 2), (8, 0), (11, 0), (11, 4), (8, 4), (8, 2), (3, 2)]
    lobes += [(3, 4), (0, 4)]
    assert _pixels(lobes) == _block(1, 2, 1, 3) | _block(9, 10, 1, 3)


@pytest.mark.parametrize(
    "points",
    [[(3, 3)], [(3, 3)] * 4, [(0, 0), (5, 5)], [(0, 0), (5, 0), (0, 0)], [(0, 0), (9, 0), (4, 0)]],
)
def test_a_point_or_a_line_encloses_nothing(points):
    assert find_inside(points).shape == (0, 2)


def test_pixels_of_a_disc_are_those_of_its_definition():
    y, x = np.mgrid[:41, :41]
    disc = (x - 20) ** 2 + (y - 20) ** 2 < 17.3**2
    near = np.zeros_like(disc)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        near |= np.roll(disc, (dy, dx), axis=(0, 1))
    ring = np.argwhere((near & ~disc).T)
    angle = np.arctan2(*(ring - 20).T)
    found = np.zeros_like(disc)
    found[tuple(find_inside(ring[np.argsort(angle)]).T[::-1])] = True
    assert np.array_equal(found, disc)
