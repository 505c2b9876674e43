"""Tests of medseg.export.label_values: a mask fits its grid and its labels, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

from medseg.export.label_values import check_label_values, check_upright
from medseg.geometry import Geometry
from medseg.labels import make_table

GRID = Geometry((2, 3, 4), np.diag([1.0, 2.0, 3.0, 1.0]))
LABELS = make_table(["liver"])


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_values_with_a_label_come_back(kind):
    mask = (np.arange(24).reshape(2, 3, 4) % 2).astype(kind)
    found = check_label_values(mask, GRID, LABELS)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.full((2, 3, 4), 2), "values from 2 to 2 and the label table 2 labels"),
        (np.full((2, 3, 4), -1), "values from -1"),
        (np.full((2, 3, 4), 257), "values from 257"),
        (np.full((2, 3, 4), 0.5), "values from 0.5"),
        (np.zeros((4, 3, 2)), "has the shape"),
        (np.zeros((1, 2, 3, 4)), "has 4 axes"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, said):
    with pytest.raises(ValueError, match=said):
        check_label_values(mask, GRID, LABELS)


def test_a_sheared_grid_is_refused():
    check_upright(GRID)
    affine = GRID.affine.copy()
    affine[0, 2] = 0.5
    with pytest.raises(ValueError, match="sheared"):
        check_upright(Geometry(GRID.shape, affine))
