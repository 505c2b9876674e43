"""Tests of medseg.metrics.set_scores: what cases give together, on paper."""

import json
import math

import numpy as np
import pytest

from medseg.metrics import Lesion, ObjectMatches
from medseg.metrics.set_scores import ClassResult, WholeSet

MASK = np.array([[0, 1, 2]])


def set_of(*ious, thresholds=(0.5, 0.7, 0.9), **more):
    """A set whose cases have these IoU of the class "road"."""
    cases = WholeSet(["road"], thresholds=thresholds)
    for iou in ious:
        mask = np.array([[0, 1]])
        cases.add(mask, mask, {"road": ClassResult(iou, **more)})
    return cases.summarise()["classes"]["road"]


def test_a_case_at_the_threshold_reaches_it():
    # 0.5 is reached by four of five, 0.7 by three, 0.9 by one
    found = set_of(0.95, 0.7, 0.7, 0.5, 0.2)["cases_at_iou"]
    assert found == {"n": 5, "0.5": 4 / 5, "0.7": 3 / 5, "0.9": 1 / 5}


def test_a_case_with_nothing_to_find_and_nothing_found_is_left_out():
    assert set_of(0.6, math.nan)["cases_at_iou"] == {"n": 1, "0.5": 1.0, "0.7": 0.0, "0.9": 0.0}
    assert set_of(math.nan)["cases_at_iou"] == {"n": 0, "0.5": None, "0.7": None, "0.9": None}


def test_a_case_that_was_missed_lowers_the_share():
    assert set_of(1.0, 0.0, thresholds=[0.5])["cases_at_iou"] == {"n": 2, "0.5": 0.5}


def test_objects_of_all_cases_are_counted_together():
    # two cases of 4 true and 3 predicted objects, of which IoU 0.6 and 0.8 match:
    # at 0.5: TP 4, FP 2, FN 4; at 0.7: TP 2, FP 4, FN 6
    matches = ObjectMatches(np.array([0.6, 0.8]), true=4, predicted=3)
    found = set_of(0.5, 0.5, thresholds=[0.5, 0.7], matches=matches)["objects"]
    assert (found["true"], found["predicted"]) == (8, 6)
    assert found["0.5"] == {"tp": 4, "fp": 2, "fn": 4, "average_precision": 0.4}
    assert found["0.7"] == {"tp": 2, "fp": 4, "fn": 6, "average_precision": pytest.approx(1 / 6)}
    # 0.5 and 0.55: 4 of 10; 0.6 to 0.75: 2 of 12 (an IoU of 0.6 is not above 0.6); then none
    assert found["score"] == pytest.approx((2 * 0.4 + 4 / 6) / 10)


def test_lesions_of_all_cases_are_counted_together():
    lesions = [
        Lesion("label", 9, 0.5, True),
        Lesion("label", 2, 0.0, False),
        Lesion("pred", 5, 0.9, True),
        Lesion("pred", 1, 0.0, False),
        Lesion("pred", 1, 0.0, False),
    ]
    found = set_of(0.5, 0.5, lesions=lesions)["lesions"]
    assert {name: found[name] for name in ("found", "missed", "true", "false")} == {
        "found": 2,
        "missed": 2,
        "true": 2,
        "false": 4,
    }
    assert found["lesion_sensitivity"] == 1 / 2
    assert found["lesion_precision"] == pytest.approx(1 / 3)
    assert found["false_per_case"] == 2


def test_what_was_not_scored_is_not_there():
    assert list(set_of(1.0)) == ["iou", "cases_at_iou"]


def test_a_set_without_cases_has_no_scores_and_is_still_json():
    summary = WholeSet(["road"], thresholds=[0.5]).summarise()
    assert (summary["cases"], summary["mean_iou"], summary["pixel_accuracy"]) == (0, None, None)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_each_class_has_its_own_iou_and_the_background_is_apart():
    cases = WholeSet(["road", "car"], thresholds=[0.5])
    results = {"road": ClassResult(0.5), "car": ClassResult(0.0)}
    cases.add(np.array([[0, 1, 1]]), MASK, results)
    summary = cases.summarise()
    assert [summary["classes"][name]["iou"] for name in ("road", "car")] == [0.5, 0.0]
    assert (summary["mean_iou"], summary["background_iou"]) == (0.25, 1.0)


def test_a_case_that_is_refused_leaves_the_set_as_it_was():
    cases = WholeSet(["road"], thresholds=[0.5])
    with pytest.raises(ValueError, match="of the label must be 0 to 1, got 2"):
        cases.add(np.zeros((1, 3), int), MASK, {"road": ClassResult(1.0)})
    assert cases.summarise() == WholeSet(["road"], thresholds=[0.5]).summarise()
