"""Tests of medseg.metrics.confusion: counts and scores that can be worked out on paper."""

import math

import numpy as np
import pytest

from medseg.metrics import ConfusionMatrix, confusion, score_case

# two voxels of each of the classes 0, 1, 2; one of 0 predicted as 1, one of 2 as 0
LABEL = np.array([[0, 0, 1], [1, 2, 2]])
PRED = np.array([[0, 1, 1], [1, 0, 2]])


def matrix_of(pred, label, *, classes=3, **options):
    matrix = ConfusionMatrix(classes)
    matrix.add(pred, label, **options)
    return matrix


def test_counts_and_scores_on_paper():
    matrix = matrix_of(PRED, LABEL)
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert matrix.iou.tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 2])
    assert matrix.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert matrix.pixel_accuracy == pytest.approx(4 / 6)


def test_the_set_is_scored_as_one_image_and_not_as_a_mean_of_cases():
    matrix = matrix_of(np.array([1, 1, 1, 1]), np.array([1, 1, 1, 0]), classes=2)
    matrix.add(np.array([0]), np.array([1]))
    # 3 of 5 together; the mean of the cases would be (3/4 + 0) / 2
    assert matrix.mean_iou == pytest.approx(3 / 5)


def test_the_order_of_cases_does_not_matter_and_nor_does_how_they_are_cut(monkeypatch):
    generator = np.random.default_rng(0)
    pred, label = generator.integers(0, 4, (2, 5, 7, 3))
    whole = matrix_of(pred, label, classes=4)
    parts = ConfusionMatrix(4)
    for part in (slice(3, None), slice(3)):
        parts.add(pred[part], label[part])
    monkeypatch.setattr(confusion, "_BLOCK", 10)
    for counts in (parts.counts, matrix_of(pred, label, classes=4).counts):
        assert counts.tolist() == whole.counts.tolist()
    brute = [[((label == t) & (pred == p)).sum() for p in range(4)] for t in range(4)]
    assert whole.counts.tolist() == brute


def test_the_iou_of_one_case_is_that_of_its_masks():
    generator = np.random.default_rng(1)
    pred, label = generator.integers(0, 3, (2, 20, 30))
    matrix = matrix_of(pred, label)
    for index in (1, 2):
        assert matrix.iou[index] == pytest.approx(score_case(pred == index, label == index)["iou"])


def test_classes_taken_as_one_have_the_iou_of_their_union():
    # 1 and 2 against 0: of the four true ones one was missed, and one more was predicted
    matrix = matrix_of(PRED, LABEL)
    assert matrix.compute_iou([1, 2]) == pytest.approx(3 / 5)
    assert matrix.compute_iou([0, 1, 2]) == 1.0
    assert [matrix.compute_iou([index]) for index in range(3)] == pytest.approx(matrix.iou.tolist())


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    matrix = matrix_of(PRED, LABEL, classes=5)
    assert [math.isnan(x) for x in matrix.iou] == [False, False, False, True, True]
    assert matrix.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_was_only_predicted_counts_as_zero():
    matrix = matrix_of(np.array([1, 2]), np.array([1, 1]))
    assert matrix.iou.tolist()[1:] == [0.5, 0.0]
    assert matrix.mean_iou == 0.25


def test_without_a_voxel_there_is_no_score():
    matrix = ConfusionMatrix(2)
    assert math.isnan(matrix.mean_iou)
    assert math.isnan(matrix.pixel_accuracy)
    matrix.add(np.zeros((2, 0), int), np.zeros((2, 0), int))
    assert matrix.counts.sum() == 0


def test_voxels_that_do_not_count_may_have_any_value():
    label = np.where(LABEL == 2, 255, LABEL).astype(np.uint8)
    matrix = matrix_of(PRED.astype(np.uint8), label, counted=label != 255)
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32])
def test_every_type_that_holds_the_classes_will_do(dtype):
    matrix = matrix_of(PRED.astype(dtype), LABEL.astype(dtype))
    assert matrix.counts.tolist() == matrix_of(PRED, LABEL).counts.tolist()


def test_255_classes_fit_into_uint8():
    values = np.arange(256, dtype=np.uint8)
    assert matrix_of(values, values, classes=256).counts.diagonal().tolist() == [1] * 256


@pytest.mark.parametrize("wrong", [3, -1, 0.5, np.nan])
def test_a_value_that_is_no_class_is_refused_and_nothing_counted(wrong):
    matrix = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=f"of the prediction must be 0 to 2, got {wrong:g}"):
        matrix.add(np.array([0, wrong]), np.array([0, 1]))
    with pytest.raises(ValueError, match=f"of the label must be 0 to 2, got {wrong:g}"):
        matrix.add(np.array([0, 1]), np.array([0, wrong]))
    assert matrix.counts.sum() == 0


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape, \(2, 3\) and \(3,\)"):
        matrix_of(PRED, LABEL[0])


def test_no_class_is_refused():
    with pytest.raises(ValueError, match="needs one or more classes, got 0"):
        ConfusionMatrix(0)
