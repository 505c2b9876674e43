"""Tests of medseg.report.followup.shared_volume: cubes whose common part is known."""

from __future__ import annotations

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import measure_structures
from medseg.report.followup.lesion_map import map_lesions
from medseg.report.followup.shared_volume import measure_imaged, measure_shared

TABLE = make_table(["tumour"])
GRID = Geometry((20, 20, 20), np.eye(4))
ALONG_I = np.eye(4)
ALONG_I[0, 3] = 2.0


def draw(*boxes):
    mask = np.zeros(GRID.shape, np.uint8)
    for start, stop in boxes:
        mask[start:stop, 4:8, 4:8] = 1
    return map_lesions(mask, GRID, TABLE[1], measure_structures(mask, GRID, TABLE))


def test_it_is_the_part_of_the_smaller_lesion():
    shared = measure_shared(draw((2, 10)), draw((8, 12)), np.eye(4))
    np.testing.assert_allclose(shared, [[0.5]])


def test_the_earlier_lesions_are_moved_first():
    np.testing.assert_allclose(measure_shared(draw((2, 6)), draw((4, 8)), ALONG_I), [[1.0]])


def test_there_is_a_row_for_each_lesion_before_and_a_column_for_each_after():
    shared = measure_shared(draw((0, 5), (8, 10)), draw((8, 10)), np.eye(4))
    np.testing.assert_allclose(shared, [[0.0], [1.0]])
    assert measure_shared(draw(), draw((1, 2)), np.eye(4)).shape == (0, 1)


def test_a_lesion_that_leaves_the_field_is_imaged_in_part():
    away = np.eye(4)
    away[0, 3] = 12.0
    assert measure_imaged(draw((4, 12)), 1, away, GRID) == pytest.approx(0.5)
