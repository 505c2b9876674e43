"""Tests of medseg.bundles.crossval.choose_parts: a rule is taken where it gains, and only there."""

import numpy as np
import pytest

from medseg.bundles.crossval.choose_parts import choose_parts, list_keys
from medseg.bundles.crossval.gain import LEAST_GAIN

BEFORE = np.linspace(0.7, 0.9, 20)


def rows_of(label="x", **rules):
    """Rows of 20 cases; each rule is by how much it changes them."""
    named = {"all_0": 0.0, **rules}
    rows = []
    for name, change in named.items():
        keep, fill = name.split("_")
        for case, dice in enumerate(BEFORE + change):
            row = {"case": str(case), "class": label, "fold": str(case % 5), "keep": keep}
            rows.append({**row, "fill": fill, "dice": str(dice)})
    return rows


def test_the_best_rule_on_parts_is_taken():
    (rule,) = choose_parts(rows_of(largest_0=0.02, **{"0.1_0": 0.01}))
    assert (rule.key, rule.value, rule.better, rule.worse) == ("largest_only", None, 20, 0)
    assert rule.gain == pytest.approx(0.02)
    (rule,) = choose_parts(rows_of(largest_0=-0.1, **{"0.1_0": 0.01, "3.0_0": 0.005}))
    assert (rule.key, rule.value) == ("smallest_part", 0.1)


def test_holes_are_judged_by_themselves():
    found = choose_parts(rows_of(largest_0=0.02, all_1=0.01, largest_1=0.03))
    assert [rule.key for rule in found] == ["largest_only", "fill_holes"]


def test_what_gains_little_or_by_chance_is_not_taken():
    assert choose_parts(rows_of(largest_0=0.9 * LEAST_GAIN)) == []
    luck = np.zeros(20)
    luck[3] = 0.2
    assert choose_parts(rows_of(largest_0=luck)) == []


def test_what_makes_more_cases_worse_than_better_is_not_taken():
    change = np.full(20, -0.001)
    change[:8] = 0.1
    assert choose_parts(rows_of(largest_0=change)) == []


def test_cases_without_the_class_do_not_count():
    change = np.full(20, 0.02)
    change[:10] = np.nan
    (rule,) = choose_parts(rows_of(largest_0=change))
    assert rule.better == 10


def test_the_keys_are_those_of_a_bundle():
    rows = [*rows_of("a", largest_0=0.02, all_1=0.02), *rows_of("b", **{"0.3_0": 0.02})]
    assert list_keys(choose_parts(rows)) == {
        "largest_only": ["a"],
        "fill_holes": ["a"],
        "smallest_part": {"b": 0.3},
    }
    assert list_keys([]) == {"largest_only": [], "fill_holes": [], "smallest_part": {}}
