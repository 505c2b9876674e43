"""Tests of medseg.report.followup.similarity: overlap and likeness known on paper."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from medseg.report.followup.similarity import measure_overlap, measure_similarity

STAY = sitk.Euler3DTransform()


def make_image(values, *, origin=(0.0, 0.0, 0.0), spacing=(1.0, 1.0, 1.0)):
    image = sitk.GetImageFromArray(np.asarray(values, np.float32))
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    return image


def test_an_image_says_all_of_itself_and_of_its_negative():
    values = np.random.default_rng(0).uniform(size=(10, 10, 10))
    assert measure_similarity(make_image(values), make_image(values), STAY) == pytest.approx(1)
    turned = make_image(1 - np.round(values * 31.5 - 0.25) / 31.5)
    assert measure_similarity(make_image(values), turned, STAY) > 0.9


def test_independent_images_say_nothing_of_each_other():
    values = np.random.default_rng(0).uniform(size=(2, 60, 60, 60))
    assert measure_similarity(*map(make_image, values), STAY) < 0.01


def test_two_values_that_agree_in_three_of_four_voxels():
    """Half of each is 1, and a quarter differs: 1 minus the entropy of (3/4, 1/4) in bits."""
    one = np.tile([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0], 64).reshape(8, 8, 8)
    other = np.tile([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 64).reshape(8, 8, 8)
    expected = 1 + 0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)
    found = measure_similarity(make_image(one), make_image(other), STAY)
    assert found == pytest.approx(expected)


def test_the_overlap_is_the_part_of_the_smaller_image():
    large, small = make_image(np.zeros((20, 20, 20))), make_image(np.zeros((10, 10, 10)))
    assert measure_overlap(large, small, STAY) == pytest.approx(1)
    half = make_image(np.zeros((20, 20, 20)), origin=(10.0, 0.0, 0.0))
    assert measure_overlap(large, half, STAY) == pytest.approx(0.5)


def test_images_apart_overlap_by_nothing_and_have_no_similarity():
    one, far = make_image(np.zeros((9, 9, 9))), make_image(np.zeros((9, 9, 9)), origin=(99, 0, 0))
    assert measure_overlap(one, far, STAY) == 0
    assert measure_similarity(one, far, STAY) is None
