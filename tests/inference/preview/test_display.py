"""Tests of medseg.inference.preview.display: what is drawn black and white, and its words."""

import numpy as np
import pytest

from medseg.inference.preview.display import (
    describe_picture_range,
    describe_window,
    measure_limits,
    measure_picture_range,
)

IMAGE = np.arange(101).reshape(1, 1, 101)


def test_a_window_is_taken_whatever_the_image_holds():
    assert measure_limits(IMAGE, window=[-160, 240]) == (-160, 240)


def test_percentiles_are_those_of_the_image():
    assert measure_limits(IMAGE, percentiles=[1, 98]) == (1, 98)


def test_without_window_and_percentiles_all_values_are_seen():
    assert measure_limits(IMAGE - 7) == (-7, 93)
    assert measure_limits(np.full((2, 2, 2), 5)) == (5, 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "HU"}, "window -160 to 240 HU (W 400, L 40)"),
        ({"percentiles": [1, 99.5]}, "window -160 to 240 (percentiles 1 to 99.5 of the image)"),
        ({}, "window -160 to 240 (all values of the image)"),
    ],
)
def test_a_window_is_named_as_its_readers_name_it(options, words):
    assert describe_window((-160, 240), **options) == words


def test_a_picture_of_8_bits_is_drawn_from_0_and_one_of_16_from_its_darkest():
    assert measure_picture_range(np.full((10, 10), 20)) == (0, 20)
    low, high = measure_picture_range(np.linspace(2000, 9000, 601))
    assert (low, high) == pytest.approx((2070, 8930))
    assert describe_picture_range(low, high).startswith("values from 2070 (black) to 8930 (white)")
