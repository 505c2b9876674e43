"""Tests of medseg.plausibility.content: one value and noise alone are no image."""

import numpy as np
import pytest
from scipy import ndimage

from medseg.plausibility import explain_no_content

SHAPES = [(1, 40, 40, 40), (1, 200, 200), (3, 200, 200)]


def noise(shape):
    return np.random.default_rng(0).normal(300, 100, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", [0, -1000, 128])
def test_one_value_is_no_image(shape, value):
    assert explain_no_content(np.full(shape, value)) == f"every value is {value}"


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_no_image_and_smooth_noise_may_be_one(shape):
    assert "it is noise" in explain_no_content(noise(shape))
    assert "it is noise" in explain_no_content(noise(shape).astype(np.uint8))
    assert explain_no_content(ndimage.gaussian_filter(noise(shape), 1)) is None


def test_objects_in_noise_are_an_image():
    image = noise((1, 200, 200))
    image[:, 50:150, 50:150] += 100
    assert explain_no_content(image) is None


@pytest.mark.parametrize("values", [np.zeros((1, 8, 8, 8)), noise((1, 30, 30))])
def test_what_is_small_is_not_judged(values):
    assert explain_no_content(values) is None
