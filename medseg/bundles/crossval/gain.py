"""Gain: whether one way of segmenting the same cases is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medseg.base.statistics.interval import find_interval

LEAST_GAIN = 0.001
"""Of the mean Dice; less is not worth a change that may be wrong for the next case."""


@dataclass(frozen=True)
class Gain:
    """By how much a score grows over the same cases.

    Attributes:
        mean: of the differences.
        low, high: ends of its 95 % interval over the cases.
        better, worse: how many cases gain and lose.
    """

    mean: float
    low: float
    high: float
    better: int
    worse: int

    @property
    def holds(self) -> bool:
        """Whether it is `LEAST_GAIN` or more, above 0 with its interval, and no more lose."""
        return self.mean >= LEAST_GAIN and self.low > 0 and self.better >= self.worse


def measure_gain(differences: Sequence[float]) -> Gain:
    """The gain over cases, of each of which the difference of its scores is given.

    Example:
        >>> measure_gain([0.25, 0.25, 0.25]).holds, measure_gain([]).holds
        (True, False)
    """
    if not differences:
        return Gain(0.0, 0.0, 0.0, 0, 0)
    low, high = find_interval(differences)
    better, worse = (sum(sign * one > 0 for one in differences) for sign in (1, -1))
    return Gain(float(np.mean(differences)), low, high, better, worse)
