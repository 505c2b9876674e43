"""Channel doubts: channels of a case that are exchanged or the same, and images that are masks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medseg.base.text import count_noun
from medseg.planning.case_facts import CaseFacts, ChannelFacts

logger = logging.getLogger(__name__)

OUTLIER = 5.0
"""So many robust standard deviations (1.4826 times the median absolute deviation) from the median
is far."""

SD = 1.4826

FEWEST_FOR_ORDER = 3
"""Of fewer cases none tells which order of channels is the usual one."""

FEWEST_FOR_RATIO = 5
LEAST_RATIO = 1.5
"""Where the values of two channels differ so much in each of so many cases, one of another order is
told; the scale of MR changes from image to image, so that values alone do not tell it."""

MOST_TURNED = 0.1
"""Where more cases than this part have another order, none is the usual one."""

FEW_LEVELS = 20
"""An image of fewer different values, and of a tenth of those of others, may be a mask."""


def find_exchanged_channels(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str]]:
    """Cases two of whose channels have each the values that the other has in the other cases.

    Compared are the values themselves, and which of two channels has the larger ones.

    Yields:
        Case, and what is odd, with the numbers.
    """
    middles = np.array([[_find_middle(channel) for channel in one.channels] for one in facts])
    if len(facts) < FEWEST_FOR_ORDER or np.isnan(middles).all(axis=0).any():
        return
    usual = np.nanmedian(middles, axis=0)
    for a, b in combinations(range(middles.shape[1]), 2):
        both = middles[:, [a, b]]
        exchanged = _have_each_others_values(both) | _have_another_order(both)
        for number in np.flatnonzero(exchanged).tolist():
            one = facts[number]
            names = [c.name for c in (one.channels[a], one.channels[b]) if c is not None]
            yield (
                one.case,
                f"channels {' and '.join(names)} may be exchanged: median values within labels "
                f"{both[number, 0]:.4g} and {both[number, 1]:.4g}, of the others {usual[a]:.4g} "
                f"and {usual[b]:.4g}",
            )


def find_same_channels(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str]]:
    """Cases two of whose channels have the same values; a line is logged where all are such.

    Yields:
        Case, and what is odd.
    """
    for a, b in combinations(range(max((len(one.channels) for one in facts), default=0)), 2):
        pairs = [(one.case, one.channels[a], one.channels[b]) for one in facts]
        there = [(case, x, y) for case, x, y in pairs if x is not None and y is not None]
        same = [(case, x, y) for case, x, y in there if _are_same(x, y)]
        if same and len(same) == len([1 for _, x, _ in there if len(x.foreground)]):
            logger.warning(
                "channels %s and %s have the same values in all of %s: leave one of them out, "
                "such as --channels %s",
                *(same[0][1].name, same[0][2].name, count_noun(len(same), "case"), same[0][1].name),
            )
            continue
        for case, x, y in same:
            yield case, f"channels {x.name} and {y.name} have the same values"


def find_masks_as_images(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str]]:
    """Cases an image of which has so few different values that it may be a mask.

    Yields:
        Case, and what is odd, with the numbers.
    """
    for place in range(max((len(one.channels) for one in facts), default=0)):
        having = [(one.case, one.channels[place]) for one in facts]
        levels = [(case, c.levels, c.name) for case, c in having if c is not None and c.levels]
        usual = float(np.median([count for _, count, _ in levels])) if levels else 0.0
        for case, count, name in levels:
            if 1 < count < min(FEW_LEVELS, usual / 10):
                said = (
                    f"the image has {count} different values, others {usual:.0f}: it may be a mask"
                )
                yield case, f"{name}: {said}" if name else said


def _have_each_others_values(both: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which cases have in each of two channels what the other one has in the other cases."""
    usual = np.nanmedian(both, axis=0)
    far = OUTLIER * SD * np.nanmedian(np.abs(both - usual), axis=0)
    own, exchanged = np.abs(both - usual), np.abs(both[:, ::-1] - usual)
    return np.logical_and((own > far).all(axis=1), (exchanged <= far).all(axis=1))


def _have_another_order(both: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which few cases have larger values in the channel that has smaller ones in all others."""
    known = ~np.isnan(both).any(axis=1)
    found = np.zeros(len(both), np.bool_)
    if known.sum() < FEWEST_FOR_RATIO or (both[known] <= 0).any():
        return found
    ratio = np.log(both[known, 0] / both[known, 1])
    found[known] = ratio * np.median(ratio) < 0
    is_clear = bool((np.abs(ratio) > np.log(LEAST_RATIO)).all())
    return found & (is_clear and found.sum() <= max(1, MOST_TURNED * len(both)))


def _are_same(a: ChannelFacts, b: ChannelFacts) -> bool:
    return bool(len(a.foreground)) and np.array_equal(a.foreground, b.foreground)


def _find_middle(channel: ChannelFacts | None) -> float:
    """The median value of a channel within labels; NaN where there is none."""
    if channel is None or not len(channel.foreground):
        return float("nan")
    return float(np.median(channel.foreground))
