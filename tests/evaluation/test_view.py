"""Tests of medseg.evaluation.view: the plane, its part and its image are the right ones."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing

from medseg.evaluation.view import LEAST_FIELD_PIXELS, make_view

AFFINE = np.diag([-1.0, -1.0, 2.5, 1.0])  # LPS
SHAPE = (60, 50, 20)


def masks(*, wrong=12):
    """A block in slices 5 to 14, whose prediction has another shape in one of them."""
    true = np.zeros(SHAPE, np.uint8)
    true[20:40, 10:30, 5:15] = 1
    pred = true.copy()
    pred[20:40, 10:20, wrong] = 0
    return true, pred


def ramp(affine=AFFINE):
    """An image whose values are the places to the right in millimetres."""
    places = np.arange(SHAPE[0]) * affine[0, 0]
    values = np.broadcast_to(places[:, None, None], SHAPE).astype(np.float32)
    return MetaTensor(torch.tensor(values.copy())[None], affine=torch.tensor(affine))


def test_the_slice_with_most_wrong_voxels_is_shown_with_its_number_in_the_file():
    view = make_view(ramp(), *masks(wrong=12), AFFINE)
    assert view.place == "axial, slice 13 of 20"
    assert view.sides == ("R", "L")
    assert (int(view.true.sum()), int(view.pred.sum())) == (400, 200)


def test_where_nothing_is_wrong_the_largest_slice_of_the_truth_is_shown():
    true, _ = masks()
    true[:, :, 8] |= np.roll(true[:, :, 8], 2, axis=0)
    assert make_view(ramp(), true, true, AFFINE).place == "axial, slice 9 of 20"


def test_without_any_structure_the_middle_is_shown_whole():
    nothing = np.zeros(SHAPE, np.uint8)
    view = make_view(ramp(), nothing, nothing, AFFINE)
    assert (view.place, view.size) == ("axial, slice 11 of 20", (60.0, 50.0))


def test_the_left_of_the_picture_is_the_right_of_the_patient():
    shades = make_view(ramp(), *masks(), AFFINE).shades
    assert (np.diff(shades, axis=1) <= 0).all()
    assert shades[0, 0] > shades[0, -1]


@pytest.mark.parametrize(
    "change",
    [Orientation("RAS", labels=None), Spacing((2.0, 2.0, 2.0))],
    ids=["turned", "resampled"],
)
def test_an_image_on_the_grid_of_the_network_is_taken_where_the_voxels_lie(change):
    plain, other = (make_view(x, *masks(), AFFINE) for x in (ramp(), change(ramp())))
    np.testing.assert_allclose(other.shades, plain.shades, atol=0.02)


def test_a_small_structure_is_magnified_and_the_view_keeps_its_size():
    true = np.zeros(SHAPE, np.uint8)
    true[30:33, 20:23, 7] = 1
    view = make_view(ramp(), true, true, AFFINE)
    assert view.size == pytest.approx((40, 40), abs=2)  # LEAST_FIELD_MM
    assert view.true.sum() == 9


def test_a_picture_is_shown_as_in_the_file_in_colour():
    true = np.zeros((200, 300), np.uint8)
    true[100:110, 50:60] = 1
    image = torch.zeros(3, 200, 300)
    image[0, 100:110, 50:60] = 1.0
    view = make_view(image, true, true, np.eye(4))
    assert view.shades.shape == (LEAST_FIELD_PIXELS, LEAST_FIELD_PIXELS, 3)
    assert (view.shades[view.true > 0] == [1, 0, 0]).all()
    assert (view.unit, view.place, view.sides) == ("pixels", "", ("", ""))


def test_a_picture_of_another_size_than_its_label_is_taken_where_its_pixels_lie():
    true = np.zeros((200, 200), np.uint8)
    true[100:150, 20:60] = 1
    small = torch.tensor(true[None, ::2, ::2]).float()
    image = MetaTensor(small, affine=torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0])))
    view = make_view(image, true, true, np.eye(4))
    assert ((view.shades > 0.5) == (view.true > 0)).mean() > 0.95


def test_by_the_truth_alone_a_view_is_the_same_for_every_prediction():
    true, pred = masks(wrong=12)
    pred[0, 0, 12] = 1
    views = [make_view(ramp(), true, x, AFFINE, by_truth=True) for x in (pred, true)]
    assert views[0].place == views[1].place == "axial, slice 6 of 20"
    assert views[0].size == views[1].size
    picture, other = true[:, :, 8], pred[:, :, 12]
    image = torch.zeros(1, *SHAPE[:2])
    sizes = {make_view(image, picture, x, np.eye(4), by_truth=True).size for x in (picture, other)}
    assert len(sizes) == 1


def test_of_several_channels_the_first_that_is_not_missing_is_shown():
    image = ramp()
    expected = make_view(image, *masks(), AFFINE).shades
    for channels in ([image, torch.rand_like(image)], [torch.zeros_like(image), image]):
        both = MetaTensor(torch.cat([c.as_tensor() for c in channels]), affine=image.affine)
        np.testing.assert_array_equal(make_view(both, *masks(), AFFINE).shades, expected)
