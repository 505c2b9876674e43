"""Tests of medseg.metrics.sizes: volumes and areas that can be counted on paper."""

import numpy as np
import pytest

from medseg.metrics.sizes import measure_sizes, read_sizes


@pytest.mark.parametrize(
    ("shape", "voxel_mm", "expected"),
    [
        ((10, 10, 10), 2.0, {"true_ml": 2.0, "predicted_ml": 0.2}),
        ((10, 10), 0.25, {"true_mm2": 25.0, "predicted_mm2": 2.5}),
        ((10, 10), None, {"true_pixels": 100, "predicted_pixels": 10}),
        ((10, 10, 10), None, {"true_voxels": 1000, "predicted_voxels": 100}),
    ],
)
def test_a_size_is_the_number_of_voxels_times_that_of_a_voxel(shape, voxel_mm, expected):
    mask = np.ones(shape, bool)
    assert measure_sizes(mask & (np.arange(10) == 3), mask, voxel_mm=voxel_mm) == expected


def test_an_empty_mask_has_no_size():
    nothing = np.zeros((4, 4), bool)
    assert set(measure_sizes(nothing, nothing, voxel_mm=1.0).values()) == {0}


def test_the_sizes_of_a_row_are_read_with_their_unit():
    sizes = measure_sizes(np.ones((2, 2), bool), np.ones((2, 2), bool), voxel_mm=None)
    assert read_sizes({"case": "a", "dice": 1.0, **sizes}) == (4, 4, "pixels")
    with pytest.raises(ValueError, match="must have the sizes of a class, got case"):
        read_sizes({"case": "a"})
