"""Interval: how far the mean over cases may be off, since these and no other cases were drawn."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
"""Of the cases, for an interval of 95 % (percentile bootstrap, Efron 1979)."""


def find_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The interval that holds 95 % of the means of cases drawn again with replacement.

    Args:
        values: of each case, at least one.
        seed: of the draws.

    Example:
        >>> find_interval([0.5, 0.5])
        (0.5, 0.5)
    """
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
