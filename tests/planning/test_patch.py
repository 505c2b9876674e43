"""Tests of medseg.planning.patch: numbers that follow from the rules on paper."""

from math import prod

import numpy as np
import pytest

from medseg.planning.patch import (
    FEWEST_AT_BOTTOM,
    FEWEST_HALVINGS,
    choose_patch,
)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((36, 50, 37), (1, 1, 1)),
        ((512, 512, 100), (0.8, 0.8, 5)),
        ((512, 512, 1000), (0.7, 0.7, 0.7)),
        ((320, 320, 20), (0.6, 0.6, 3.6)),
        ((400, 300), (1, 1)),
        ((3, 3, 3), (1, 1, 1)),
        ((500, 600, 1), (1, 1, 5)),
    ],
)
@pytest.mark.parametrize("most", [500, 90_000, 96**3])
def test_a_patch_fits_the_budget_and_its_levels(shape, spacing, most):
    patch, strides, kernels = choose_patch(shape, spacing, most=most)
    total = np.prod(strides, axis=0) if strides else np.ones(len(shape))
    assert prod(patch) <= most
    assert len(kernels) == len(strides) + 1
    for n, stride, whole in zip(patch, total, shape, strict=True):
        assert n % stride == 0
        is_small = len(strides) <= FEWEST_HALVINGS
        assert stride == 1 or n // stride >= (2 if is_small else FEWEST_AT_BOTTOM)
        assert n < whole + stride or n == 2 * stride


@pytest.mark.parametrize("shape", [(12, 12, 12), (5, 6, 4), (64, 8, 8), (20, 9)])
def test_a_network_has_three_levels_however_small_the_images_are(shape):
    _, strides, kernels = choose_patch(shape, (1.0,) * len(shape), most=10**6)
    assert len(kernels) >= 3
    assert all(max(step) == 2 for step in strides)


def test_a_coarse_axis_is_neither_halved_nor_convolved_until_the_others_are_as_coarse():
    _, strides, kernels = choose_patch((512, 512, 64), (1, 1, 4), most=10**9)
    assert strides[:3] == [[2, 2, 1], [2, 2, 1], [2, 2, 2]]
    assert kernels[:3] == [[3, 3, 1], [3, 3, 1], [3, 3, 3]]
