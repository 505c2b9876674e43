"""Tests of medseg.bundles.pruning.prune: the choice of a level, and what is refused before anything
runs.

The command itself, on a trained bundle, is in tests/integration/test_liver_bundle.py.
"""

import logging
import re

import pytest
from bundles.edited import SMALL

from medseg.bundles.pruning.prune import (
    _measure_rows,
    _warn_of_scores,
    choose_level,
    prune_bundle,
)
from medseg.networks import NestedUNet
from medseg.networks.analysis.cost import Cost


@pytest.mark.parametrize(
    ("tolerance", "level"), [(0.0, 4), (0.5, 3), (0.6, 3), (5.0, 2), (20.0, 1), (100, 1)]
)
def test_the_smallest_level_within_the_tolerance_is_chosen(tolerance, level):
    assert choose_level({1: 0.70, 2: 0.85, 3: 0.895, 4: 0.90}, tolerance=tolerance) == level


def test_the_best_level_need_not_be_the_deepest():
    assert choose_level({1: 0.5, 2: 0.9, 3: 0.89}, tolerance=0) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -0.1}, r"tolerance of 0 to 100 .* got -0.1"),
        ({"tolerance": 101}, "got 101"),
        ({"repeats": 0}, "1 or more repeats, got 0.6 and 0: pass"),
        ({"arguments": ["--level", "3"]}, "pruning sets --level by itself: leave it out"),
        ({"arguments": ["--chanels", "[2]"]}, "is not a key .* did you mean the key --channels"),
        (
            {"arguments": [*SMALL, "--deep_supervision", "false"]},
            "heads of a deeply supervised network, .* was trained without deep supervision: train",
        ),
        ({"arguments": ["--channels", "[2,3,5]"]}, "build the network as it was trained"),
    ],
)
def test_what_cannot_be_pruned_is_refused_in_one_line(bundle, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        prune_bundle(bundle, **options)
    assert "\n" not in str(caught.value)
    assert not bundle.with_name("liver_pruned").exists()


def test_a_bundle_without_weights_is_refused(bundle):
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(FileNotFoundError, match="do not exist: train the bundle first"):
        prune_bundle(bundle, arguments=SMALL)


def test_a_folder_that_is_there_is_refused_before_anything_runs(bundle):
    out = bundle.with_name("liver_slices")
    with pytest.raises(FileExistsError, match=r"exists: remove it, or name .* with --out$"):
        prune_bundle(bundle, out=out, arguments=SMALL)
    with pytest.raises(ValueError, match="is not a key"):  # what is misspelt is told first
        prune_bundle(bundle, out=out, arguments=["--chanels", "[2]"])


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a bundle, it has no evaluate\.json"):
        prune_bundle(tmp_path)


class Scored:
    """An evaluation that logs as a real one does."""

    def score_level(self, level, folder):
        for say in (logging.getLogger("medseg.metrics").info, logging.getLogger("medseg").warning):
            say("a case of %s", level)
        return {"iou": 0.5 if level else 0.625, "dice": 0.75, "cases": 2}

    def measure_costs(self, networks, *, repeats):
        return {name: Cost(1, 1, 0.5, 1.0) for name in networks}


def test_each_level_is_one_line_and_warnings_are_said_too(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    network = NestedUNet(2, 1, 1, channels=(2, 3, 4), deep_supervision=True)
    _measure_rows(Scored(), network, report_dir=tmp_path, repeats=3)
    assert [record.getMessage() for record in caplog.records] == [
        "a case of 1",
        "1 of 3: L1, mean IoU 50.00 %, mean Dice 75.00 % of 2 cases",
        "a case of 2",
        "2 of 3: L2, mean IoU 50.00 %, mean Dice 75.00 % of 2 cases",
        "a case of None",
        "3 of 3: all, mean IoU 62.50 %, mean Dice 75.00 % of 2 cases",
        "timing each level 3 times",
    ]
    assert {record.levelname for record in caplog.records if "case of" in record.msg} == {"WARNING"}


@pytest.mark.parametrize(
    ("scores", "warning"),
    [
        ((0.663, 0.592), "all heads together.* have 7.1 points of IoU more than the best level"),
        ((0.0, 0.0), "no level of liver finds anything, every IoU is 0"),
        ((0.05, 0.051), r"best level of liver has a mean IoU of only 5\.1 %: train it for longer"),
        ((0.3, 0.3), None),
        ((0.595, 0.592), None),
    ],
)
def test_scores_that_speak_against_every_level_are_warned_of(scores, warning, caplog):
    _warn_of_scores(*scores, name="liver", tolerance=0.6)
    assert re.search(warning, caplog.text) if warning else caplog.text == ""
