"""Tests of medseg.evaluation.part_rules: the Dice after each rule, known on paper."""

import math

import numpy as np
import pytest

from medseg.evaluation.part_rules import LARGEST, SIZES_PIXELS, PartRule, try_rules

TRUE = np.zeros((40, 40), bool)
TRUE[5:15, 5:15] = True


def dice_of(pred, *, true=TRUE, unit=1.0, is_volume=False):
    return dict(try_rules(pred, true, unit=unit, is_volume=is_volume))


def test_a_speck_and_a_hole_cost_what_the_rules_gain():
    pred = TRUE.copy()
    pred[30:34, 30:34] = True  # 16 pixels too many
    pred[9:11, 9:11] = False  # 4 too few
    found = dice_of(pred)
    assert found[PartRule()] == pytest.approx(2 * 96 / (112 + 100))
    assert found[PartRule(LARGEST)] == pytest.approx(2 * 96 / 196)
    assert found[PartRule("all", fill=True)] == pytest.approx(2 * 100 / 216)
    assert found[PartRule(LARGEST, fill=True)] == 1.0
    assert found[PartRule("10.0")] == found[PartRule()]
    assert found[PartRule("30.0")] == found[PartRule(LARGEST)]


def test_sizes_of_volumes_are_millilitres():
    true = TRUE[..., None]
    pred = true.copy()
    pred[30:34, 30:34] = True
    found = dice_of(pred, true=true, unit=0.01, is_volume=True)
    assert found[PartRule("0.1")] < 1
    assert found[PartRule("0.3")] == 1


def test_every_case_has_the_same_rules():
    nothing = np.zeros_like(TRUE)
    assert dice_of(nothing).keys() == dice_of(TRUE).keys()
    assert len(dice_of(TRUE)) == 4 + len(SIZES_PIXELS)
    assert set(dice_of(nothing).values()) == {0.0}
    assert all(map(math.isnan, dice_of(nothing, true=nothing).values()))
