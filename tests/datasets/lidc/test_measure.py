"""Tests of medseg.datasets.lidc.measure."""

import math

import numpy as np
import pytest

from medseg.datasets.lidc.annotations_xml import Kind, Mark
from medseg.datasets.lidc.marks import Region
from medseg.datasets.lidc.measure import (
    COLUMNS,
    compute_sphere_diameter_mm,
    find_centre_mm,
    measure,
    measure_longest_in_plane_mm,
)
from medseg.datasets.lidc.nodules import Group
from medseg.geometry import Geometry

_GRID = Geometry((10, 10, 6), np.diag([-0.5, -0.5, 2.0, 1.0]))
_NONE = np.empty(0, np.int64)


def _block(x, y, k):
    mask = np.zeros(_GRID.shape, bool)
    mask[slice(*x), slice(*y), slice(*k)] = True
    return np.flatnonzero(mask)


def _region(reader, voxels, *, kind=Kind.NODULE, **ratings):
    return Region(Mark(reader, "1", kind, tuple(ratings.items()), (), ()), voxels)


def test_a_block_has_the_volume_of_its_voxels_and_the_diameter_of_that_sphere():
    block = _block((2, 6), (3, 5), (1, 4))  # 4 x 2 x 3 voxels of 0.5 x 0.5 x 2 mm
    row = measure(Group((_region(1, block),), False), block, _GRID)
    assert row["volume_mm3"] == 12
    assert row["diameter_mm"] == pytest.approx((72 / math.pi) ** (1 / 3), abs=1e-3)
    assert row["slices"] == 3
    assert (row["x_mm"], row["y_mm"], row["z_mm"]) == (-1.75, -1.75, 4.0)
    assert compute_sphere_diameter_mm(math.pi / 6 * 27) == pytest.approx(3)


@pytest.mark.parametrize(
    ("block", "pixels"),
    [
        (((2, 3), (3, 4), (1, 2)), math.sqrt(2)),
        (((2, 7), (3, 4), (1, 2)), math.sqrt(26)),
        (((2, 6), (3, 6), (0, 5)), 5.0),  # 4 x 3 pixels: the diagonal, whatever the slices
    ],
)
def test_the_longest_diameter_goes_from_corner_to_corner_within_a_slice(block, pixels):
    assert measure_longest_in_plane_mm(_block(*block), _GRID) == pytest.approx(0.5 * pixels)


def test_the_longest_diameter_is_of_the_slice_where_it_is_longest_not_across_slices():
    voxels = np.union1d(_block((0, 1), (0, 1), (0, 1)), _block((9, 10), (9, 10), (5, 6)))
    assert measure_longest_in_plane_mm(voxels, _GRID) == pytest.approx(0.5 * math.sqrt(2))
    assert measure_longest_in_plane_mm(_NONE, _GRID) == 0


def test_the_centre_is_the_mean_of_the_voxel_centres():
    assert find_centre_mm(_block((0, 4), (0, 1), (2, 3)), _GRID) == (-0.75, 0.0, 4.0)


def test_the_readers_are_counted_and_their_ratings_kept_in_order():
    one, two = _block((2, 6), (3, 5), (1, 4)), _block((2, 6), (3, 5), (2, 4))
    group = Group(
        (
            _region(1, one, malignancy=5, texture=4),
            _region(2, one[:1], kind=Kind.SMALL),
            _region(3, two, malignancy=2),
        ),
        True,
    )
    row = measure(group, one, _GRID)
    assert (row["kind"], row["readers"], row["readers_small"]) == ("nodule", 2, 1)
    assert row["agreement"] == pytest.approx(2 * 16 / 40)
    assert row["ambiguous"] is True
    assert (row["malignancy_mean"], row["malignancy_median"]) == (3.5, 3.5)
    assert (row["malignancy_readers"], row["texture_readers"]) == ("5 2", "4 -")
    assert "margin_mean" not in row
    assert set(row) <= set(COLUMNS)


def test_a_point_has_a_place_and_neither_size_nor_agreement():
    point = _block((2, 3), (2, 3), (2, 3))
    row = measure(Group((_region(1, point, kind=Kind.NON_NODULE),), False), _NONE, _GRID)
    assert (row["kind"], row["readers"], row["readers_small"]) == ("non-nodule", 0, 0)
    assert (row["x_mm"], row["y_mm"], row["z_mm"]) == (-1.0, -1.0, 4.0)
    assert not {"volume_mm3", "diameter_mm", "longest_mm", "slices", "agreement"} & set(row)
