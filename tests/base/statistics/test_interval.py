"""Tests of medseg.base.statistics.interval."""

import numpy as np
import pytest

from medseg.base.statistics.interval import find_interval


def test_the_interval_is_that_of_the_normal_distribution_for_many_cases():
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    low, high = find_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.002)
    assert high == pytest.approx(values.mean() + half, abs=0.002)
