"""Tests of medseg.metrics.objects: matches on paper, and against a search over all pairs."""

import math
import zipfile
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from medseg.base.masks import label_components
from medseg.metrics import ObjectMatches, match_objects
from medseg.metrics.objects import THRESHOLDS


def row(text):
    """A line of objects, one digit per voxel; a point is no object."""
    return np.array([0 if x == "." else int(x) for x in text])


def test_matches_on_paper():
    # object 1: 4 of 5 voxels, IoU 0.8; object 2: 3 of 4, IoU 0.75; object 3 missed; 9 is false
    label = row("11111.2222.3...")
    pred = row("5555..777....99")
    matches = match_objects(pred, label)
    assert sorted(matches.ious) == [0.75, 0.8]
    assert (matches.true, matches.predicted) == (3, 3)
    assert matches.count(0.5) == {"tp": 2, "fp": 1, "fn": 1}
    assert matches.count(0.75) == {"tp": 1, "fp": 2, "fn": 2}
    assert matches.average_precision(0.5) == 2 / 4
    assert matches.average_precision(0.75) == 1 / 5
    assert matches.average_precision(0.9) == 0
    # above 0.5 to 0.7 both (5 thresholds), above 0.75 one, above 0.8 none
    assert matches.score == pytest.approx((5 * 2 / 4 + 1 / 5) / 10)


def test_the_thresholds_are_ten_from_half_to_095():
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_an_iou_at_the_threshold_is_no_match():
    # either half of the object has IoU 1/2: at a threshold that half reaches, both would match
    matches = match_objects(row("1122"), row("3333"))
    assert matches.count(0.5) == {"tp": 0, "fp": 2, "fn": 1}


def test_two_objects_predicted_as_one_are_at_most_one_match():
    matches = match_objects(row("11111111"), row("11111.22"))
    assert matches.count(0.5) == {"tp": 1, "fp": 0, "fn": 1}


def test_equal_objects_score_one_whatever_their_numbers():
    label = row("11.22.3")
    for pred in (label, 1000 * label, np.where(label, 10 - label, 0)):
        assert match_objects(pred, label).score == 1


def test_without_objects_there_is_no_score_and_with_those_of_one_side_it_is_zero():
    none, some = row("..."), row(".1.")
    assert math.isnan(match_objects(none, none).score)
    for pred, label in ((some, none), (none, some)):
        assert match_objects(pred, label).score == 0


def test_cases_add_up():
    first = match_objects(row("11.22"), row("11.2."))
    second = match_objects(row("...."), row("11.2"))
    both = ObjectMatches() + first + second
    together = match_objects(row("11.22......"), row("11.2..33.4."))
    for threshold in (0.5, 0.7, 0.9):
        assert both.count(threshold) == together.count(threshold)
    assert both.score == together.score


def brute_force(pred, label, threshold):
    """TP, FP, FN by a look at every pair of objects."""
    ids, true_ids = (set(x.ravel().tolist()) - {0} for x in (pred, label))
    pairs = [
        (p, t)
        for p in ids
        for t in true_ids
        if ((pred == p) & (label == t)).sum() / ((pred == p) | (label == t)).sum() > threshold
    ]
    found, hit = {t for _, t in pairs}, {p for p, _ in pairs}
    assert len(found) == len(hit) == len(pairs)
    return {"tp": len(pairs), "fp": len(ids - hit), "fn": len(true_ids - found)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(60, 80), (24, 30, 20)])
def test_random_objects_match_as_a_search_over_all_pairs_finds(seed, shape):
    generator = np.random.default_rng(seed)
    smooth = gaussian_filter(generator.standard_normal(shape), 1.5)
    near = smooth + 0.3 * gaussian_filter(generator.standard_normal(shape), 1)
    pred, label = (label_components(x > x.std())[0] for x in (near, smooth))
    matches = match_objects(pred, label)
    assert matches.true > 5
    for threshold in THRESHOLDS:
        assert matches.count(threshold) == brute_force(pred, label, threshold)


def test_thousands_of_objects_take_no_loop_over_pairs():
    # 40,000 objects of one voxel on either side: 1.6e9 pairs
    label = np.zeros((400, 400), np.int64)
    label[::2, ::2] = 1 + np.arange(40000).reshape(200, 200)
    matches = match_objects(label, label)
    assert matches.count(0.9) == {"tp": 40000, "fp": 0, "fn": 0}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64, np.float32])
def test_numbers_of_any_type_and_with_gaps_are_ids(dtype):
    label, pred = row("22.5.9"), row("77.8..")
    assert match_objects(pred.astype(dtype), label).count(0.5) == {"tp": 2, "fp": 0, "fn": 1}
    assert match_objects(pred, label.astype(dtype)).count(0.5) == {"tp": 2, "fp": 0, "fn": 1}


def test_the_largest_numbers_do_not_overflow():
    huge = np.array([2**63, 0, 2**64 - 1], np.uint64)
    assert match_objects(huge, huge).count(0.5) == {"tp": 2, "fp": 0, "fn": 0}


@pytest.mark.parametrize("threshold", [0.49, 1.0, math.nan])
def test_a_threshold_that_several_objects_or_none_could_pass_is_refused(threshold):
    with pytest.raises(ValueError, match=r"0\.5 or more and below 1, got"):
        ObjectMatches().count(threshold)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape, \(3,\) and \(2,\)"):
        match_objects(row("111"), row("11"))


@pytest.mark.long
@pytest.mark.realdata
def test_touching_nuclei_of_a_real_picture_are_lost_in_the_pieces_of_their_mask(data_root):
    label = _nuclei(data_root / "nuclei/stage1_train.zip", least=60)
    assert match_objects(label, label).score == 1
    pieces, count = label_components(label > 0)
    matches = match_objects(pieces, label)
    assert (matches.predicted, matches.true) == (count, label.max())
    assert count < label.max()
    for threshold in THRESHOLDS:
        assert matches.count(threshold) == brute_force(pieces, label, threshold)


def _nuclei(archive, *, least):
    """The numbered nuclei of the first picture of the Data Science Bowl that has so many."""
    with zipfile.ZipFile(archive) as files:
        masks = defaultdict(list)
        for name in sorted(files.namelist()):
            if "/masks/" in name and name.endswith(".png"):
                masks[name.split("/masks/")[0]].append(name)
        chosen = next(names for names in masks.values() if len(names) >= least)
        nuclei = [np.asarray(Image.open(files.open(name))) > 0 for name in chosen]
    return np.max([number * mask for number, mask in enumerate(nuclei, start=1)], axis=0)
