"""Prepare: what a network of nnU-Net sees, and that it knows its place on the source grid."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.transforms.nnunet.prepare import SLICE_AXIS, PrepareForNnunetd


def make(spacing=(1.0, 1.0, 1.0), **options):
    options = {"axes": (0, 1, 2), "schemes": ["none"], "properties": [{}]} | options
    return PrepareForNnunetd("image", spacing, **options)


def make_image(values, affine=None):
    affine = np.eye(4) if affine is None else affine
    return MetaTensor(torch.as_tensor(values, dtype=torch.float32), affine=torch.from_numpy(affine))


def prepare(transform, values, affine=None):
    return transform({"image": make_image(values, affine)})["image"]


def test_the_axes_are_those_of_simpleitk_and_then_as_the_plans_permute_them():
    values = torch.arange(1, 25.0).reshape(1, 2, 3, 4)
    assert prepare(make(), values)[0].tolist() == values[0].permute(2, 1, 0).tolist()
    permuted = prepare(make(axes=(2, 0, 1)), values)
    assert permuted[0].tolist() == values[0].permute(0, 2, 1).tolist()


def test_the_box_around_all_values_but_0_is_cut_out():
    values = torch.zeros(1, 5, 6, 7)
    values[0, 1:3, 2:4, 3] = 5
    found = prepare(make(), values)
    assert found.shape == (1, 1, 2, 2)
    assert found.affine[:3, 3].tolist() == [1, 2, 3]


def test_the_affine_maps_each_corner_of_the_box_to_where_it_was():
    affine = np.array([[0, -0.9, 0, 5], [0.8, 0, 0, -3], [0, 0, 5, 11], [0, 0, 0, 1.0]])
    values = torch.rand(1, 10, 12, 6) + 1
    found = prepare(make((2.5, 1.1, 1.0)), values, affine)
    low = np.full(3, -0.5)
    for corner in np.ndindex(2, 2, 2):
        there = affine @ [*(low + np.array(corner) * values.shape[1:]), 1]
        place = np.array(corner)[::-1]
        here = found.affine.numpy() @ [*(low + place * found.shape[1:]), 1]
        np.testing.assert_allclose(here, there, atol=1e-9)


def test_a_network_in_2d_leaves_its_first_axis_as_it_is():
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    found = prepare(make((1.0, 1.0)), torch.rand(1, 4, 6, 3) + 1, affine)
    assert found.shape == (1, 3, 12, 8)


@pytest.mark.parametrize(
    ("spacing_of_image", "spacing", "axis"),
    [((1.0, 1.0, 5.0), (1.0, 1.0, 1.0), 0), ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), -1)],
)
def test_the_axis_of_slices_of_the_logits_is_told(spacing_of_image, spacing, axis):
    found = prepare(make(spacing), torch.ones(1, 3, 3, 3), np.diag([*spacing_of_image, 1.0]))
    assert found.meta[SLICE_AXIS] == axis


def test_an_image_is_turned_where_the_reader_of_the_training_turned_it():
    values = torch.arange(1, 9.0).reshape(1, 2, 2, 2)
    stored = prepare(make(), values, np.diag([-1.0, 1.0, 1.0, 1.0]))
    turned = prepare(make(orientation="RAS"), values, np.diag([-1.0, 1.0, 1.0, 1.0]))
    assert turned[0].tolist() == stored[0].flip(2).tolist()


def test_only_the_body_counts_where_the_plans_say_so_and_holes_are_in_it():
    values = torch.ones(1, 5, 5, 5)
    values[0, 0], values[0, 2, 2, 2] = 0, 0
    values[0, 1, 0, 0] = 3
    found = prepare(make(schemes=["z_score"], inside=[True]), values)
    body = values[0, 1:]
    expected = (body - body.mean()) / body.std(correction=0)
    np.testing.assert_allclose(found[0].permute(2, 1, 0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (torch.ones(2, 2, 2, 2), {}, "has 2 channels, and the network is for 1"),
        (torch.zeros(1, 2, 2, 2), {}, "0 everywhere"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        prepare(make(**options), values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": (0, 1, 1)}, "axes must be 0, 1 and 2"),
        ({"schemes": ["ct"]}, "needs mean, std, percentile_00_5, percentile_99_5"),
        ({"schemes": ["other"]}, "a scheme must be one of"),
        ({"inside": [True, True]}, "one entry for each channel, got 1, 1 and 2"),
        ({"spacing": (1.0,)}, "2 or 3 lengths"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
