"""Tests of medseg.metrics.scores: scores that can be worked out on paper."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric, HausdorffDistanceMetric, MeanIoU, SurfaceDiceMetric
from scipy.ndimage import gaussian_filter

from medseg.metrics import score_case


def square(row, *, side=10, shape=(40, 40)):
    mask = np.zeros(shape, bool)
    mask[row : row + side, 5 : 5 + side] = True
    return mask


@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_squares_shifted_by_k_rows_score_what_paper_says(shift):
    # side 10: the overlap has 10 - k rows of 10; both outer edges lie k rows apart, and so do more
    # than 5 % of the 36 edge pixels
    scores = score_case(square(5), square(5 + shift))
    overlap = 10 * (10 - shift)
    assert scores["dice"] == pytest.approx(2 * overlap / 200)
    assert scores["iou"] == pytest.approx(overlap / (200 - overlap))
    assert scores["hd95"] == shift


@pytest.mark.parametrize(("spacing", "hd95"), [((1, 1), 3), ((2.5, 1), 7.5), ((1, 2.5), 3)])
def test_distances_are_in_the_unit_of_the_spacing_along_their_axis(spacing, hd95):
    assert score_case(square(5), square(8), spacing=spacing)["hd95"] == hd95


# Rows 5 to 14 against rows 7 to 16, columns 5 to 14 in both. Of the 36 edge pixels of the first:
# the sides in rows 7 to 14 lie on the edge of the second (16); the sides in row 6 are a row away
# from it (2); row 5 is two rows away (10); the 8 inner pixels of row 14 are 1, 2, 3, 4, 4, 3, 2, 1
# columns from its sides and two rows from its bottom. By symmetry it is the same the other way.
@pytest.mark.parametrize(
    ("tolerance", "spacing", "within"),
    [
        (0.0, (1, 1), 16),
        (1.0, (1, 1), 16 + 2 + 2),
        (1.9, (1, 1), 16 + 2 + 2),
        (2.0, (1, 1), 36),
        (1.9, (2, 1), 16 + 2),
        (3.9, (2, 1), 16 + 2 + 6),
        (4.0, (2, 1), 36),
    ],
)
def test_surface_dice_is_the_part_of_the_edges_within_the_tolerance(tolerance, spacing, within):
    scores = score_case(square(5), square(7), tolerance=tolerance, spacing=spacing)
    assert scores["surface_dice"] == pytest.approx(within / 36)


def test_equal_masks_score_best_even_a_single_voxel_in_a_corner():
    for mask in (square(5), square(0, side=1), np.ones((3, 4, 5), bool)):
        perfect = {"dice": 1.0, "iou": 1.0, "hd95": 0.0, "surface_dice": 1.0}
        assert score_case(mask, mask) == perfect


def test_a_single_slice_is_scored_as_the_image_it_is():
    flat = score_case(square(5), square(7), spacing=(2.0, 1.0))
    thin = score_case(square(5)[..., None], square(7)[..., None], spacing=(2.0, 1.0, 5.0))
    assert thin["dice"] == flat["dice"]
    assert thin["hd95"] == flat["hd95"]


def test_one_empty_mask_scores_zero_at_infinite_distance():
    worst = {"dice": 0.0, "iou": 0.0, "hd95": math.inf, "surface_dice": 0.0}
    assert score_case(square(5), square(5, side=0)) == worst
    assert score_case(square(5, side=0), square(5)) == worst


def test_two_empty_masks_have_no_score():
    scores = score_case(square(5, side=0), square(5, side=0))
    assert list(scores) == ["dice", "iou", "hd95", "surface_dice"]
    assert all(math.isnan(value) for value in scores.values())


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape, \(40, 40\) and \(40, 41\)"):
        score_case(square(5), square(5, shape=(40, 41)))


def blob(seed, shape):
    """A smooth random mask that reaches the border."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return noise > 0.3 * noise.std()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("shape", "spacing"), [((24, 30), (0.7, 2.0)), ((16, 20, 12), (0.7, 1.0, 5.0))]
)
def test_scores_of_random_blobs_are_those_of_monai(seed, shape, spacing):
    pred, label = blob(seed, shape), blob(seed + 100, shape)
    y_pred, y = (torch.from_numpy(x)[None, None].float() for x in (pred, label))
    expected = {
        "dice": DiceMetric()(y_pred, y),
        "iou": MeanIoU()(y_pred, y),
        "hd95": HausdorffDistanceMetric(include_background=True, percentile=95)(
            y_pred, y, spacing=spacing
        ),
        "surface_dice": SurfaceDiceMetric(class_thresholds=[2.0], include_background=True)(
            y_pred, y, spacing=spacing
        ),
    }
    scores = score_case(pred, label, spacing=spacing)
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value.item(), rel=1e-6), name
