"""Tests of medseg.ingest.dicom.sample_checks.strips: a few rows of each slice."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import as_big_endian, make_series, write_series
from pydicom.uid import RLELossless

from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.dicom.sample_checks.strips import find_neighbours, measure_distance, read_strips

VALUES = np.arange(4 * 64 * 600).reshape(4, 64, 600) % 3000


def headers(slices, tmp_path):
    return [read_header(path) for path in write_series(tmp_path, slices)]


def plain(slices):
    return slices


def big_endian(slices):
    return [as_big_endian(s) for s in slices]


def compressed(slices):
    for s in slices:
        s.compress(RLELossless)
    return slices


@pytest.mark.parametrize("written", [plain, big_endian, compressed])
def test_a_strip_has_32_rows_and_at_most_256_columns_however_it_is_stored(written, tmp_path):
    slices = written(make_series(VALUES.astype(np.int16)))
    found = read_strips(headers(slices, tmp_path))
    rows = np.linspace(0, 63, 34)[1:-1].astype(int)
    for k in range(4):
        expected = VALUES[k][rows][:, ::3]
        np.testing.assert_array_equal(found[k], expected)


def test_a_file_that_is_gone_has_no_strip(tmp_path):
    found = headers(make_series(VALUES.astype(np.int16)), tmp_path)
    found[2].path.unlink()
    assert sorted(read_strips(found)) == [0, 1, 3]


def test_the_distance_of_equal_values_is_0_and_else_the_mean_difference():
    assert measure_distance(np.array([1, 2]), np.array([1, 2])) == 0
    assert measure_distance(np.array([0, 0], np.uint16), np.array([3, 5], np.uint16)) == 4


@pytest.mark.parametrize(
    ("place", "expected"), [(4, [3, 6]), (0, [1]), (9, [7]), (2, [1, 3]), (5, [3, 6])]
)
def test_the_nearest_places_on_either_side_are_beside_one(place, expected):
    assert find_neighbours(place, np.array([1, 3, 6, 7])) == expected
