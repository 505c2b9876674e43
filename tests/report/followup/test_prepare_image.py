"""Tests of medseg.report.followup.prepare_image: values, size and place of what is compared."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from report.followup.bodies import make_grid

from medseg.geometry import LPS_TO_RAS
from medseg.report.followup.prepare_image import prepare_image


def test_values_are_those_between_the_percentiles():
    image = np.linspace(0, 1000, 8000).reshape(20, 20, 20)
    image[0, 0, 0] = 1e6
    values = sitk.GetArrayFromImage(prepare_image(image, make_grid(image.shape, (1, 1, 1))))
    assert values.min() == 0
    assert values.max() == 1
    assert np.median(values) == np.float32(values.mean()).round(2)


def test_an_image_of_two_values_of_which_one_is_rare_keeps_both():
    image = np.zeros((20, 20, 20))
    image[3, 4, 5] = 7.0
    values = sitk.GetArrayFromImage(prepare_image(image, make_grid(image.shape, (1, 1, 1))))
    assert values[5, 4, 3] == 1
    assert values.sum() == 1


def test_a_large_image_is_averaged_along_the_axes_with_small_voxels():
    grid = make_grid((256, 256, 20), (0.5, 0.5, 5.0))
    found = prepare_image(np.random.default_rng(0).normal(size=grid.shape), grid)
    assert found.GetSize() == (128, 128, 20)
    np.testing.assert_allclose(found.GetSpacing(), (1.0, 1.0, 5.0))


def test_a_voxel_stays_where_it_is_in_the_patient():
    grid = make_grid((12, 14, 16), (1.0, 2.0, 3.0), turn=(20, -10, 30), flips=(-1, 1, 1))
    found = prepare_image(np.random.default_rng(0).normal(size=grid.shape), grid)
    place = found.TransformIndexToPhysicalPoint((3, 5, 7))
    expected = LPS_TO_RAS[:3, :3] @ grid.voxel_to_world((3, 5, 7))
    np.testing.assert_allclose(place, expected)
