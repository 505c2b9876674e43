"""Tests of medseg.planning.slices."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from planning.test_plan import FOUND

from medseg.planning.slices import BACKGROUND, cut_into_slices

LAYERS = Path(__file__).resolve().parents[2] / "bundles" / "layers"
FOUND = replace(FOUND, labelled_slices=(20.0, 30.0, 24.0))


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [((1, 1, 1), 2), ((1, 1.005, 1), 2), ((1, 3, 1), 1), ((4, 1, 1), 0), ((3, 1, 3), 2)],
)
def test_the_axis_of_the_longest_voxels_is_cut_and_the_last_of_equal_ones(spacing, axis):
    slices = cut_into_slices(replace(FOUND, spacing_mm=spacing), (36, 50, 37), spacing)
    kept = [a for a in range(3) if a != axis]
    assert slices.axis == axis
    assert slices.kept_axes == tuple(kept)
    assert slices.shape == tuple((36, 50, 37)[a] for a in kept)
    assert slices.spacing_mm == tuple(spacing[a] for a in kept)


def test_a_case_has_its_labelled_slices_and_a_quarter_more_but_no_more_than_there_are():
    assert cut_into_slices(FOUND, (36, 50, 37), (1, 1, 1)).per_case == 30
    assert cut_into_slices(FOUND, (36, 50, 28), (1, 1, 1)).per_case == 28
    assert cut_into_slices(FOUND, (72, 100, 74), (0.5, 0.5, 0.5)).per_case == 60


def test_background_slices_are_those_that_the_layer_takes():
    layer = json.loads((LAYERS / "slices.json").read_text())
    assert layer["background_slices"] == BACKGROUND
