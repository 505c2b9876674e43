"""Tests of medseg.ingest.dicom.header.acquired_matrix: what was measured of an image is counted."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from medseg.ingest.dicom.header.acquired_matrix import AcquiredMatrix, read_matrix


def stated(matrix, maker=""):
    dataset = Dataset()
    dataset.AcquisitionMatrix, dataset.Manufacturer = matrix, maker
    return read_matrix(dataset)


@pytest.mark.parametrize("matrix", [[64, 0, 0, 48], [0, 64, 48, 0]])
def test_rows_and_columns_are_the_two_numbers_that_are_no_zero(matrix):
    found = stated(matrix)
    assert sorted((found.rows, found.columns)) == [48, 64]


@pytest.mark.parametrize(
    ("matrix", "maker"),
    [([64, 48], ""), ([64, 0, 0, 48], "GE MEDICAL SYSTEMS")],
    ids=["two numbers", "a maker of no sheets"],
)
def test_what_says_nothing_of_a_sheet_is_no_matrix(matrix, maker):
    assert stated(matrix, maker) == AcquiredMatrix()


def test_a_matrix_lies_in_an_image_as_often_along_rows_as_along_columns():
    assert AcquiredMatrix(64, 48).count_times_in(192, 144) == 3
    assert AcquiredMatrix(64, 48).count_times_in(144, 192) == 3
    assert AcquiredMatrix(64, 48).count_times_in(192, 96) == 0
    assert AcquiredMatrix(64, 48, is_interpolated=True).count_times_in(192, 144) == 0
