"""Tests of medseg.report.followup.match_lesions: spheres whose fate is known."""

from __future__ import annotations

import numpy as np
import pytest
from report.followup.bodies import draw_spheres, make_grid, make_motion

from medseg.labels import make_table
from medseg.report import measure_structures
from medseg.report.followup.lesion_map import map_lesions
from medseg.report.followup.match_lesions import Outcome, match_lesions

TABLE = make_table(["tumour"])
GRID = make_grid((80, 60, 60), (1.5, 1.5, 1.5))
THICK = make_grid((100, 76, 22), (1.2, 1.2, 5.0), turn=(5, -10, 8))
MOTION = make_motion(degrees=(4.0, -6.0, 9.0), shift=(8.0, 5.0, -10.0))
GRIDS = [
    pytest.param(GRID, np.eye(4), id="same grid"),
    pytest.param(THICK, np.eye(4), id="other grid"),
    pytest.param(THICK, MOTION, id="other grid, moved"),
]


def find(spheres, grid, matrix=None, *, smallest_ml=0.0):
    mask = draw_spheres(grid, spheres, matrix)
    measured = measure_structures(mask, grid, TABLE)
    return map_lesions(mask, grid, TABLE[1], measured, smallest_ml=smallest_ml)


def match(before, after, grid=GRID, matrix=None, **options):
    matrix = np.eye(4) if matrix is None else matrix
    found = match_lesions(find(before, GRID), find(after, grid, matrix), matrix, **options)
    return [(one.outcome, one.before, one.after) for one in found]


@pytest.mark.parametrize(("grid", "matrix"), GRIDS)
def test_each_outcome_has_the_lesions_of_both_sides(grid, matrix):
    """The largest is lesion 1; two grow together, one falls apart, one goes, one comes."""
    before = [
        ((-35, 20, 0), 9),  # 1, grows
        ((30, 15, 0), 8.5),  # 2, falls apart
        ((-8, -20, 0), 7.5),  # 3, merges
        ((11, -20, 0), 7),  # 4, merges
        ((0, 20, 15), 6),  # 5, vanishes
    ]
    after = [
        ((2, -20, 0), 15),  # 1
        ((-35, 20, 0), 12),  # 2
        ((35, 15, 0), 4.5),  # 3 and 4, of one size or nearly so
        ((24, 15, 0), 5),
        ((0, 0, -25), 4),  # 5, new
    ]
    assert match(before, after, grid, matrix) == [
        (Outcome.PERSISTED, (1,), (2,)),
        (Outcome.SPLIT, (2,), (3, 4)),
        (Outcome.MERGED, (3, 4), (1,)),
        (Outcome.VANISHED, (5,), ()),
        (Outcome.NEW, (), (5,)),
    ]


def test_two_that_merge_while_one_falls_apart_are_named_both():
    before = [((-14, 0, 0), 12), ((14, 0, 0), 11)]
    after = [((0, 0, 0), 10), ((-22, 0, 0), 6)]
    assert match(before, after) == [(Outcome.REGROUPED, (1, 2), (1, 2))]


def test_neighbours_that_only_touch_stay_apart():
    before = [((-10, 0, 0), 9), ((11, 0, 0), 8)]
    after = [((-7.5, 0, 0), 9), ((13.5, 0, 0), 8)]
    assert match(before, after) == [
        *((Outcome.PERSISTED, (1,), (1,)), (Outcome.PERSISTED, (2,), (2,))),
    ]


@pytest.mark.parametrize(
    ("apart", "outcomes"),
    [(14, [Outcome.PERSISTED]), (16, [Outcome.VANISHED, Outcome.NEW])],
)
def test_lesions_that_do_not_overlap_are_one_within_15_mm(apart, outcomes):
    found = match([((0, 0, 0), 5)], [((apart, 0, 0), 5)])
    assert [one[0] for one in found] == outcomes


def test_the_distance_can_be_chosen():
    pair = [((0, 0, 0), 5)], [((14, 0, 0), 5)]
    assert len(match(*pair, farthest_mm=10)) == 2
    assert len(match(*pair, farthest_mm=0)) == 2


def test_of_lesions_near_each_other_as_many_as_possible_have_a_counterpart():
    """The nearest pair alone would leave two lesions of which 24 mm lie between."""
    before = [((-12, 0, 0), 4.5), ((0, 0, 0), 4)]
    after = [((-0, 11, 0), 4.5), ((12, 0, 0), 4)]
    found = match(before, after, farthest_mm=17)
    assert [one[0] for one in found] == [Outcome.PERSISTED] * 2


def test_a_match_says_overlap_and_distance():
    (found,) = match_lesions(find([((0, 0, 0), 12)], GRID), find([((3, 0, 0), 6)], GRID), np.eye(4))
    assert found.matched_by == "overlap"
    assert found.overlap == pytest.approx(1)
    assert found.distance_mm == pytest.approx(3, abs=0.1)


def test_a_lesion_between_the_voxels_of_the_other_grid_is_still_found():
    coarse = make_grid((24, 20, 8), (6.0, 6.0, 12.0))
    (found,) = match_lesions(
        find([((3, 3, 6), 2)], GRID), find([((3, 3, 6), 9)], coarse), np.eye(4)
    )
    assert (found.outcome, found.matched_by) == (Outcome.PERSISTED, "overlap")


def test_a_lesion_that_the_other_image_does_not_show_is_not_new():
    low = make_grid((80, 60, 30), (1.5, 1.5, 1.5))
    after = find([((0, 0, 0), 6), ((0, 0, 35), 5)], GRID)
    found = match_lesions(find([((0, 0, 0), 6)], low), after, np.eye(4))
    assert [one.outcome for one in found] == [Outcome.PERSISTED, Outcome.OUTSIDE]
    back = match_lesions(after, find([((0, 0, 0), 6)], low), np.eye(4))
    assert [(one.outcome, one.before) for one in back][1] == (Outcome.OUTSIDE, (2,))


def test_without_lesions_there_is_no_match():
    assert match([], []) == []
    assert match([], [((0, 0, 0), 5)]) == [(Outcome.NEW, (), (1,))]
    assert match([((0, 0, 0), 5)], []) == [(Outcome.VANISHED, (1,), ())]


def test_small_lesions_can_be_left_out():
    before, after = find([((0, 0, 0), 5)], GRID), [((0, 0, 0), 5), ((30, 0, 0), 2)]
    found = match_lesions(before, find(after, GRID, smallest_ml=0.1), np.eye(4))
    assert [one.outcome for one in found] == [Outcome.PERSISTED]
