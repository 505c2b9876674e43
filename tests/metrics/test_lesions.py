"""Tests of medseg.metrics.lesions: what is found, missed and false, on paper."""

import math

import numpy as np
import pytest

from medseg.metrics import Lesion, find_lesions, score_lesions
from medseg.metrics.lesions import compute_diameter, make_lesion_row


def line(text):
    return np.array([x != "." for x in text])


# a lesion half found, one missed, one found by two pieces; one false
LABEL = line("1111...11..11111....")
PRED = line("..11......11.11....1")


def kinds(pred, label, **options):
    return [(lesion.kind, lesion.voxels) for lesion in find_lesions(pred, label, **options)]


def test_lesions_on_paper():
    assert [(x.kind, x.voxels, x.covered) for x in find_lesions(PRED, LABEL)] == [
        ("found", 4, 0.5),
        ("missed", 2, 0.0),
        ("found", 5, 0.6),
        ("true", 2, 1.0),
        ("true", 2, 0.5),
        ("true", 2, 1.0),
        ("false", 1, 0.0),
    ]


def test_a_lesion_counts_as_hit_above_the_overlap_only():
    assert kinds(PRED, LABEL, overlap=0.5)[:3] == [("missed", 4), ("missed", 2), ("found", 5)]
    assert [kind for kind, _ in kinds(PRED, LABEL, overlap=0.5)[3:]] == [
        "true",
        "false",
        "true",
        "false",
    ]


def test_two_lesions_predicted_as_one_are_both_found():
    assert kinds(line("11111"), line("11.11")) == [("found", 2), ("found", 2), ("true", 5)]


def test_small_pieces_are_no_lesions_but_cover():
    pred, label = line("1.1....1"), line("111..1..")
    found = find_lesions(pred, label, min_size=2)
    assert [(x.kind, x.covered) for x in found] == [("found", pytest.approx(2 / 3))]


def test_exchanging_the_masks_exchanges_truth_and_prediction():
    there, back = find_lesions(PRED, LABEL), find_lesions(LABEL, PRED)
    assert [(x.voxels, x.hit) for x in back] == [(x.voxels, x.hit) for x in there[3:] + there[:3]]
    scores, exchanged = score_lesions(there), score_lesions(back)
    assert scores["lesion_sensitivity"] == exchanged["lesion_precision"]
    assert scores["lesion_f1"] == pytest.approx(exchanged["lesion_f1"])


def test_corners_connect_unless_faces_are_asked_for():
    mask = np.eye(3) > 0
    assert kinds(mask, mask) == [("found", 3), ("true", 3)]
    assert kinds(mask, mask, connectivity=1) == [("found", 1)] * 3 + [("true", 1)] * 3


def test_a_single_slice_has_the_lesions_of_its_image():
    pred, label = np.eye(4) > 0, np.ones((4, 4)) > 0
    assert find_lesions(pred[..., None], label[..., None]) == find_lesions(pred, label)


def test_scores_on_paper():
    # 2 of 3 found; 3 of 4 predicted are true; F1 = 2 * 2/3 * 3/4 / (2/3 + 3/4) = 12/17
    scores = score_lesions(find_lesions(PRED, LABEL))
    assert scores == pytest.approx(
        {"lesion_sensitivity": 2 / 3, "lesion_precision": 3 / 4, "lesion_f1": 12 / 17}
    )


@pytest.mark.parametrize(
    ("pred", "label", "expected"),
    [
        ("...", "...", (math.nan, math.nan, math.nan)),
        ("1..", "...", (math.nan, 0.0, 0.0)),
        ("...", "1..", (0.0, math.nan, 0.0)),
        ("1..", "..1", (0.0, 0.0, 0.0)),
    ],
)
def test_empty_masks_score_as_documented(pred, label, expected):
    scores = score_lesions(find_lesions(line(pred), line(label)))
    assert tuple(scores.values()) == pytest.approx(expected, nan_ok=True)


def test_a_disc_and_a_ball_have_their_own_diameter():
    # area pi r^2 and volume 4/3 pi r^3 of diameter 10, in voxels of 0.5 x 2 [x 3] mm
    assert compute_diameter(round(25 * math.pi), [0.5, 2.0]) == pytest.approx(10, abs=0.05)
    assert compute_diameter(round(500 / 3 * math.pi / 3), [0.5, 2.0, 3.0]) == pytest.approx(
        10, abs=0.05
    )


def test_the_row_of_a_lesion_has_its_unit():
    lesion = Lesion("pred", 8, 0.25, True)
    row = make_lesion_row(lesion, [5.0, 5.0, 5.0], number=3, unit="mm")
    assert row == {
        "lesion": 3,
        "kind": "true",
        "voxels": 8,
        "volume_ml": 1.0,
        "diameter_mm": pytest.approx((6 * 1000 / math.pi) ** (1 / 3)),
        "covered": 0.25,
    }
    pixels = make_lesion_row(lesion, [1.0, 1.0], number=3, unit="pixel")
    assert list(pixels) == ["lesion", "kind", "voxels", "diameter_pixel", "covered"]


@pytest.mark.parametrize("overlap", [-0.1, 1.0, math.nan])
def test_an_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(ValueError, match="an overlap must be 0 or more and below 1, got"):
        find_lesions(PRED, LABEL, overlap=overlap)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape, \(20,\) and \(3,\)"):
        find_lesions(PRED, line("1.1"))
