"""Tests of medseg.plausibility.voxel_values: an even sample of an image."""

import numpy as np

from medseg.plausibility.voxel_values import BODY_ABOVE_HU, TISSUE_ABOVE_HU, take_sample


def test_all_values_of_a_small_image_are_taken():
    array = np.arange(24).reshape(2, 3, 4)
    assert take_sample(array).tolist() == list(range(24))


def test_of_a_large_image_every_second_voxel_of_each_axis_is_taken():
    array = np.arange(1 * 200 * 200 * 200, dtype=np.int32).reshape(1, 200, 200, 200)
    assert np.array_equal(take_sample(array), array[:, ::2, ::2, ::2].ravel())


def test_lung_and_air_lie_below_both_limits_and_fat_above():
    assert -650 < BODY_ABOVE_HU < TISSUE_ABOVE_HU < -120
