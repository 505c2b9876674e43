"""Resize: the values of skimage and scipy, by nnU-Net's rule of when slices stay apart."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.transform import resize as resize_by_skimage

from medseg.transforms.nnunet.resize import (
    count_voxels,
    find_nearest,
    find_slice_axis,
    make_matrix,
    resize,
)


def make_image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((20, 25, 15), (30, 21, 38)),
        ((7, 5, 9), (3, 11, 9)),
        ((1, 6, 6), (1, 9, 12)),
        ((2, 3, 4), (9, 9, 9)),
    ],
)
def test_a_resized_image_is_that_of_skimage(old, new, order):
    image = make_image(2, *old)
    expected = [
        resize_by_skimage(channel.astype(float), new, order, mode="edge", anti_aliasing=False)
        for channel in image
    ]
    found = resize(torch.from_numpy(image), new, slice_axis=None, order=order)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_resized_each_on_its_own_and_the_nearest_is_taken(axis):
    image, new = make_image(1, 6, 7, 8), (9, 10, 11)
    slices = np.moveaxis(image[0].astype(float), axis, 0)
    plane = tuple(n for place, n in enumerate(new) if place != axis)
    flat = np.stack(
        [resize_by_skimage(one, plane, 3, mode="edge", anti_aliasing=False) for one in slices]
    )
    places = np.mgrid[tuple(slice(n) for n in (new[axis], *plane))].astype(float)
    places[0] = (places[0] + 0.5) * slices.shape[0] / new[axis] - 0.5
    expected = np.moveaxis(ndimage.map_coordinates(flat, places, order=0, mode="nearest"), 0, axis)
    found = resize(torch.from_numpy(image), new, slice_axis=axis)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_an_image_of_that_size_stays_as_it_is():
    image = torch.from_numpy(make_image(1, 3, 4, 5))
    assert resize(image, (3, 4, 5), slice_axis=0) is image


def test_no_value_is_beyond_those_of_the_image():
    steps = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    found = resize(steps, (1, 1, 16), slice_axis=None)
    assert found.min() == 0
    assert found.max() == 1


def test_weights_that_would_be_slow_to_multiply_are_0():
    matrix = make_matrix(200, 100, 3)
    assert not ((abs(matrix) > 0) & (abs(matrix) < 1e-30)).any()


def test_voxels_are_counted_as_python_rounds():
    assert count_voxels((5, 10, 3), (1.0, 0.5, 1.0), (2.0, 1.0, 2.0)) == (2, 5, 2)


@pytest.mark.parametrize(
    ("spacing", "target", "options", "axis"),
    [
        ((5.0, 0.8, 0.8), (1.0, 1.0, 1.0), {}, 0),
        ((1.0, 1.0, 1.0), (0.8, 5.0, 0.8), {}, 1),
        ((1.0, 1.0, 3.0), (1.0, 1.0, 3.0), {}, None),
        ((5.0, 5.0, 0.8), (1.0, 1.0, 1.0), {}, None),
        ((5.0, 0.8, 0.8), (1.0, 1.0, 1.0), {"slices": False}, None),
        ((2.0, 1.0, 1.0), (1.0, 1.0, 1.0), {"slices": True}, 0),
        ((2.5, 1.0, 1.0), (1.0, 1.0, 1.0), {"anisotropy": 2.0}, 0),
    ],
)
def test_slices_stay_apart_where_one_axis_has_much_longer_voxels(spacing, target, options, axis):
    assert find_slice_axis(spacing, target, **options) == axis


def test_of_two_slices_as_near_the_upper_one_is_taken():
    assert find_nearest(2, 4).tolist() == [0, 0, 1, 1]
    assert find_nearest(4, 2).tolist() == [1, 3]
