"""Tests of medseg.planning.grid: the spacing of the cases, or coarser to show more."""

from dataclasses import replace
from math import prod

import pytest
from planning.test_plan import FOUND, PICTURES

from medseg.planning.grid import choose_grid, choose_spacing

KIDNEY = replace(
    FOUND,
    shape=(512, 512, 200),
    spacing_mm=(0.7, 0.7, 2.5),
    coarse_mm=2.5,
    part_mm={1: 53.0},
)
SMALL = {"patch_voxels": 90_000, "parts_across": 2.0}


def test_the_target_spacing_is_the_median_and_along_a_coarse_axis_the_tenth_percentile():
    assert choose_spacing(FOUND) == (1.0, 1.0, 1.0)
    coarse = replace(FOUND, spacing_mm=(0.8, 0.8, 5.0), coarse_mm=2.5)
    assert choose_spacing(coarse) == (0.8, 0.8, 2.5)
    finer = replace(FOUND, spacing_mm=(0.8, 0.8, 5.0), coarse_mm=0.5)
    assert choose_spacing(finer) == (0.8, 0.8, 0.8)
    nearly = replace(FOUND, spacing_mm=(0.8, 0.8, 2.0), coarse_mm=2.5)
    assert choose_spacing(nearly) == (0.8, 0.8, 2.0)


def test_a_patch_is_twice_as_wide_as_the_parts_of_the_largest_class():
    grid = choose_grid(replace(KIDNEY, spacing_mm=(0.7, 0.7, 1.0)), **SMALL)
    assert grid.is_resampled
    assert len(set(grid.spacing_mm)) == 1  # all three grew, to the same length
    assert (90_000 * prod(grid.spacing_mm)) ** (1 / 3) == pytest.approx(2 * 53, rel=0.01)
    assert grid.shape == tuple(round(mm / grid.spacing_mm[0]) for mm in (358.4, 358.4, 200))
    assert "coarser than 0.7x0.7x1, " in grid.why
    assert "2 times as wide as the parts of a class, about 53 mm" in grid.why


def test_an_axis_that_is_coarse_enough_stays():
    grid = choose_grid(replace(KIDNEY, spacing_mm=(0.7, 0.7, 2.0), part_mm={1: 40.0}), **SMALL)
    assert grid.spacing_mm[2] == 2.0
    assert grid.spacing_mm[0] == grid.spacing_mm[1] < 2.0
    assert (90_000 * prod(grid.spacing_mm)) ** (1 / 3) == pytest.approx(2 * 40, rel=0.01)


def test_a_patch_needs_not_hold_more_than_the_image():
    grid = choose_grid(replace(KIDNEY, shape=(100, 100, 100), part_mm={1: 100.0}), **SMALL)
    assert prod(grid.shape) == pytest.approx(90_000, rel=0.05)
    assert "so that a patch holds the whole image" in grid.why


def test_the_smallest_class_keeps_four_voxels_from_side_to_side():
    grid = choose_grid(replace(KIDNEY, part_mm={1: 53.0, 2: 6.0}), **SMALL)
    assert grid.spacing_mm == (1.5, 1.5, 2.5)
    assert "the smallest class, about 6 mm, keep 4 voxels" in grid.why


@pytest.mark.parametrize(
    ("found", "options"),
    [
        (FOUND, SMALL),  # it is not known how wide its parts are
        (replace(FOUND, part_mm={1: 12.0}), SMALL),  # a patch holds the whole image as it is
        (replace(KIDNEY, part_mm={1: 53.0, 2: 3.0}), SMALL),  # 0.75 mm are not worth it
        (KIDNEY, {**SMALL, "parts_across": 0.0}),
        (KIDNEY, {**SMALL, "patch_voxels": 96**3}),
    ],
)
def test_else_the_spacing_is_that_of_the_cases(found, options):
    grid = choose_grid(found, **options)
    assert grid.spacing_mm == choose_spacing(found)
    assert grid.is_resampled is found.spacing_varies


def test_pictures_are_not_resampled():
    grid = choose_grid(replace(PICTURES, part_mm={1: 300.0}), **SMALL)
    assert (grid.spacing_mm, grid.shape) == (PICTURES.spacing_mm, PICTURES.shape)
    assert not grid.is_resampled
