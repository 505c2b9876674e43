"""Tests of medseg.plausibility.extent: a CT is as large as patients and scanners allow."""

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.plausibility import describe_extent_doubts, explain_impossible_extent


def why(shape, *edges):
    return explain_impossible_extent(Geometry(shape, np.diag([*edges, 1.0])))


@pytest.mark.parametrize(
    ("shape", "edges", "words"),
    [
        ((512, 512, 129), (5.7, 5.7, 16), "2918 mm across, more than the 1000 mm"),
        ((512, 512, 129), (0.057, 0.057, 0.16), "an edge of 0.057 mm, less than 0.1 mm"),
        ((128, 128, 65), (0.228, 0.228, 0.32), "of 128 voxels is 29.2 mm, less than 30 mm"),
        ((512, 512, 129), (0.0007, 0.0007, 0.0016), "an edge of 0.0007 mm"),
        ((512, 512, 129), (0.7, 0.7, 32), "an edge of 32 mm, more than 30 mm"),
        ((512, 512, 900), (0.7, 0.7, 3), "2700 mm long, more than 2500 mm"),
    ],
)
def test_sizes_that_no_patient_has_are_said(shape, edges, words):
    assert words in why(shape, *edges)


@pytest.mark.parametrize(
    ("shape", "edges"),
    [
        ((512, 512, 129), (0.57, 0.57, 1.6)),
        ((512, 512, 1000), (1.37, 1.37, 2)),
        ((512, 512, 1), (0.9, 0.9, 10)),
        ((300, 300, 100), (0.2, 0.2, 0.2)),
        ((48, 48, 16), (7.5, 7.5, 20)),
        ((16, 16, 8), (1, 1, 1)),
    ],
    ids=["abdomen", "whole body", "one slice", "inner ear", "coarse", "crop"],
)
def test_sizes_that_occur_pass(shape, edges):
    assert why(shape, *edges) is None


def test_slices_thicker_than_usual_are_doubted():
    for step, is_doubted in ((10.0, False), (12.0, False), (16.0, True)):
        grid = Geometry((64, 64, 9), np.diag([1.0, 1.0, step, 1.0]))
        assert bool(describe_extent_doubts(grid)) == is_doubted
