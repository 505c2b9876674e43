"""Tests of medseg.bundles.crossval.gain: what counts as better."""

import numpy as np
import pytest

from medseg.bundles.crossval.gain import LEAST_GAIN, measure_gain


def test_a_gain_has_its_mean_interval_and_counts():
    gain = measure_gain([0.01, 0.02, 0.03, -0.01, 0.0])
    assert gain.mean == pytest.approx(0.01)
    assert gain.low < gain.mean < gain.high
    assert (gain.better, gain.worse) == (3, 1)


@pytest.mark.parametrize(
    ("differences", "holds"),
    [
        ([0.02] * 20, True),
        ([0.0] * 20, False),
        ([-0.02] * 20, False),
        ([0.9 * LEAST_GAIN] * 20, False),
        ([0.2, *[0.0] * 19], False),  # one case, by chance
        ([0.1] * 9 + [-0.001] * 11, False),  # more lose
        ([], False),
    ],
)
def test_it_holds_where_it_is_large_sure_and_of_most_cases(differences, holds):
    assert measure_gain(differences).holds is holds


def test_the_interval_is_that_of_the_mean_over_cases():
    differences = np.random.default_rng(0).normal(0.01, 0.02, 400).tolist()
    gain = measure_gain(differences)
    half = 1.96 * 0.02 / 20
    assert gain.high - gain.low == pytest.approx(2 * half, rel=0.15)
