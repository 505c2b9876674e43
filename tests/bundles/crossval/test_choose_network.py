"""Tests of medseg.bundles.crossval.choose_network: the simpler stays, both where it truly gains."""

import numpy as np
import pytest

from medseg.bundles.crossval.choose_network import BOTH, choose_network, score_same_cases

BASE = np.linspace(0.6, 0.9, 24)


def rows_of(dice, label="x"):
    return [
        {"case": f"c{n}", "class": label, "fold": str(n % 3), "dice": str(one)}
        for n, one in enumerate(dice)
    ]


def choose(flat=0.0, deep=0.0, both=0.0):
    """The choice among networks whose Dice differs so from that of the base."""
    tables = {"flat": flat, "deep": deep, BOTH: both}
    return choose_network(
        "flat", "deep", {name: rows_of(BASE + change) for name, change in tables.items()}
    )


def test_of_equal_networks_the_simpler_stays():
    assert choose().chosen == "flat"
    assert choose(deep=0.0005, both=0.0005).chosen == "flat"
    luck = np.zeros(24)
    luck[5] = 0.3
    assert choose(deep=luck, both=luck).chosen == "flat"


def test_the_other_is_chosen_where_it_gains():
    found = choose(deep=0.02, both=0.01)
    assert found.chosen == "deep"
    assert found.gains["deep", "flat"].mean == pytest.approx(0.02)
    assert found.gains["deep", "flat"].better == 24
    assert found.means["deep"] == pytest.approx(BASE.mean() + 0.02)


def test_both_are_chosen_only_where_the_mean_beats_each():
    assert choose(deep=0.02, both=0.03).chosen == BOTH
    assert choose(flat=0.02, both=0.03).chosen == BOTH
    assert choose(deep=0.02, both=0.0205).chosen == "deep"
    half = np.where(np.arange(24) < 12, 0.05, -0.03)
    assert choose(deep=half, both=0.012).chosen in ("flat", "deep")  # loses to one in each half


def test_the_mean_of_probabilities_is_chosen_where_errors_are_independent():
    random = np.random.default_rng(3)
    truth = random.random((24, 4000)) < 0.3
    noise = [random.normal(0, 1.0, truth.shape) for _ in range(2)]
    probabilities = [1 / (1 + np.exp(-(np.where(truth, 1.0, -1.0) + n))) for n in noise]
    maps = {"flat": probabilities[0], "deep": probabilities[1], BOTH: sum(probabilities) / 2}
    tables = {
        name: rows_of([compute_dice(t, p > 0.5) for t, p in zip(truth, each, strict=True)])
        for name, each in maps.items()
    }
    assert choose_network("flat", "deep", tables).chosen == BOTH


def compute_dice(true, found):
    return 2 * (true & found).sum() / (true.sum() + found.sum())


def test_the_three_are_scored_on_the_same_cases():
    tables = {"a": rows_of(BASE), "b": rows_of(BASE[:-1]), BOTH: rows_of(BASE)}
    with pytest.raises(ValueError, match="case c23 of fold 2 is scored by a and not by b"):
        score_same_cases(tables)


def test_a_class_that_is_nowhere_counts_as_right_against_one_that_was_invented():
    invented = [*rows_of([0.8], "x"), *rows_of([0.0], "y")]
    empty = [*rows_of([0.6], "x"), *rows_of(["nan"], "y")]
    (row,) = score_same_cases({"a": invented, "b": empty})
    assert (row["a"], row["b"]) == (pytest.approx(0.4), pytest.approx(0.8))
    (row,) = score_same_cases({"a": empty, "b": empty})
    assert row["a"] == row["b"] == pytest.approx(0.6)
    assert score_same_cases({"a": rows_of(["nan"])}) == []


def test_the_rows_of_the_table_name_what_is_compared():
    rows = choose(deep=0.02, both=0.03).list_rows()
    assert [(row["network"], row["against"]) for row in rows] == [
        ("deep", "flat"),
        (BOTH, "flat"),
        (BOTH, "deep"),
    ]
    assert rows[0] == {
        **{"network": "deep", "against": "flat", "cases": 24, "gain": 0.02, "gains": True},
        **{"dice": 0.77, "low": 0.02, "high": 0.02, "better": 24, "worse": 0},
    }
