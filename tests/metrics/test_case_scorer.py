"""Tests of medseg.metrics.case_scorer: which voxels and objects of a case are scored."""

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.metrics.case_scorer import CaseScorer

IGNORE = 255


def plane(*rows):
    """An image (1, I, J), one digit per voxel; a point is 0, an x is to be ignored."""
    codes = {".": 0, "x": IGNORE}
    values = [[codes[v] if v in codes else int(v) for v in row] for row in rows]
    return torch.tensor(values, dtype=torch.uint8)[None]


def score(pred, label, *, classes=("a",), item=None, **options):
    scorer = CaseScorer(classes, tolerance=0.0, unit="pixel", **options)
    return scorer.score({"case": "c7", **(item or {})}, pred, label)


def test_ignored_voxels_are_as_if_cut_off():
    pred, label = plane(".11.11", ".111.1"), plane(".11xxx", ".1..xx")
    names = ("dice", "iou", "hd95_pixel", "surface_dice_0pixel", "object_score")
    masked = score(pred, label, ignore_label=IGNORE, objects=True).scores["a"]
    # the predicted voxel (1, 3) counts, all others on the right do not
    cut = score(pred[..., :4] * (label[..., :4] != IGNORE), plane(".11.", ".1.."), objects=True)
    assert [masked[name] for name in names] == [cut.scores["a"][name] for name in names]
    assert masked["dice"] == pytest.approx(2 * 3 / (5 + 3))


def test_without_an_ignored_value_255_is_a_class_like_any_other():
    classes = [str(index) for index in range(1, 256)]
    case = score(plane("1x"), plane("1x"), classes=classes)
    assert case.counted is None
    assert case.scores["255"]["dice"] == 1.0


def test_a_case_of_ignored_voxels_only_has_no_score():
    scores = score(plane("11"), plane("xx"), ignore_label=IGNORE).scores["a"]
    assert all(math.isnan(value) for value in scores.values())


def test_pieces_of_the_label_are_its_objects():
    # two true objects; the first is found whole, the second with 3 of 4 voxels
    case = score(plane("11.111."), plane("11.1111"), objects=True, thresholds=[0.5, 0.75])
    assert case.scores["a"]["object_ap50"] == 1.0
    assert case.scores["a"]["object_ap75"] == pytest.approx(1 / 3)  # TP 1, FP 1, FN 1


def test_true_objects_that_touch_are_told_apart_by_their_numbers():
    # the two objects touch: their mask is one piece, which the prediction equals
    label, instances = plane("1111111"), plane("1111222")
    item = {"instances": instances.float()}
    as_one = score(label, label, objects=True, thresholds=[0.5]).scores["a"]
    as_two = score(label, label, objects="instances", item=item, thresholds=[0.5]).scores["a"]
    assert as_one["object_ap50"] == 1.0
    # the piece has IoU 4/7 with the first, 3/7 with the second: TP 1, FP 0, FN 1
    assert as_two["object_ap50"] == 0.5
    split = score(plane("111.222"), label, objects="instances", item=item, classes=["a", "b"])
    assert split.results["a"].matches.predicted == 1


def test_a_class_has_the_objects_in_its_mask():
    label, instances = plane("11.22.2"), plane("11.22.3")
    case = score(
        label,
        label,
        classes=["a", "b"],
        objects="instances",
        item={"instances": instances},
    )
    assert [case.results[name].matches.true for name in ("a", "b")] == [1, 2]
    assert [case.scores[name]["object_score"] for name in ("a", "b")] == [1.0, 1.0]


def test_objects_on_ignored_voxels_do_not_count():
    instances = plane("1.22.3")
    case = score(
        plane("1.11.1"),
        plane("1.11.x"),
        objects="instances",
        item={"instances": instances},
        ignore_label=IGNORE,
    )
    assert (case.results["a"].matches.true, case.scores["a"]["object_score"]) == (2, 1.0)


def test_small_pieces_and_corners_are_as_the_options_say():
    pred = plane("1..", ".1.", "..1")
    label = plane("1..", ".1.", "...")

    def predicted(**options):
        return score(pred, label, objects=True, **options).results["a"].matches.predicted

    assert (predicted(), predicted(connectivity=1)) == (1, 3)
    assert (predicted(min_size=3), predicted(min_size=4)) == (1, 0)


def test_names_are_those_of_the_scores_in_their_order():
    scorer = CaseScorer(
        ["a"], tolerance=1.5, unit="pixel", thresholds=[0.5, 0.75], objects=True, lesions=True
    )
    assert scorer.names == [
        "dice",
        "iou",
        "hd95_pixel",
        "surface_dice_1.5pixel",
        "object_ap50",
        "object_ap75",
        "object_score",
        "lesion_sensitivity",
        "lesion_precision",
        "lesion_f1",
    ]
    case = scorer.score({"case": "c7"}, plane("1"), plane("1"))
    assert list(case.scores["a"]) == scorer.names


def test_a_case_without_the_named_objects_is_refused():
    with pytest.raises(ValueError, match="case c7 has no 'instances', the true objects: load them"):
        score(plane("1"), plane("1"), objects="instances")


def test_objects_of_another_size_are_refused():
    item = {"instances": np.ones((1, 1, 3))}
    with pytest.raises(ValueError, match=r"of case c7 differ in shape, \(1, 3\) and \(1, 1\)"):
        score(plane("1"), plane("1"), objects="instances", item=item)


@pytest.mark.parametrize("ignore_label", [None, IGNORE])
def test_a_prediction_of_another_size_is_refused(ignore_label):
    with pytest.raises(ValueError, match=r"of case c7 differ in shape, \(1, 3\) and \(1, 1\)"):
        score(plane("111"), plane("1"), ignore_label=ignore_label)


def test_sizes_are_those_of_the_masks_that_are_scored():
    """A region has the voxels of those within it, and ignored ones count in neither mask."""
    scorer = CaseScorer(
        ["organ", "tumour"], tolerance=0, unit="pixel", members=[[1, 2], [2]], ignore_label=255
    )
    pred, label = (torch.tensor([[x]]) for x in ([1, 2, 2, 1], [1, 1, 2, 255]))
    sizes = scorer.score({"case": "a"}, pred, label).sizes
    assert sizes["organ"] == {"true_pixels": 3, "predicted_pixels": 3}
    assert sizes["tumour"] == {"true_pixels": 1, "predicted_pixels": 2}


def test_a_volume_on_a_sheared_grid_is_that_of_its_voxels():
    affine = torch.eye(4)
    affine[0, 1] = 1.0
    mask = MetaTensor(torch.ones(1, 10, 10, 10), affine=affine)
    scorer = CaseScorer(["a"], tolerance=0, unit="mm")
    assert scorer.score({"case": "a"}, mask, mask).sizes["a"]["true_ml"] == pytest.approx(1.0)
