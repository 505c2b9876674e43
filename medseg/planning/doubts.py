"""Doubts: cases that differ from all others so much that something may be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from medseg.planning.case_facts import CaseFacts, ChannelFacts

FEWEST = 8
"""Of fewer cases none is told from the others."""

OUTLIER = 5.0
"""So many robust standard deviations (1.4826 times the median absolute deviation) from the median
is far, and `LEAST_FACTOR` times as large or small."""

LEAST_FACTOR = 1.5

MIRRORED = 1.25
"""A label that fits the others so much better when it is mirrored may be mirrored."""

MOST_ODD = 0.05
"""Of more cases than this part values are not odd: MR images have scales of their own."""

_SD = 1.4826


@dataclass(frozen=True)
class Doubt:
    """What is odd about a case.

    Attributes:
        case: its name.
        finding: in words, with the numbers.
    """

    case: str
    finding: str


def find_doubts(facts: Sequence[CaseFacts]) -> list[Doubt]:
    """The cases that differ from the others, with what is odd, in their order.

    Looked at are the size of voxels and images, the volume of each label, the values of the image
    within labels, whether two channels have each other's values, and whether a label lies where
    mirrored it would fit the others better. A label that is only shifted is found by `medseg
    crossval`.

    Example:
        >>> find_doubts([])
        []
    """
    if len(facts) < FEWEST:
        return []
    doubts = [
        *_find_odd_sizes(facts),
        *_find_odd_labels(facts),
        *_find_odd_values(facts),
        *_find_exchanged_channels(facts),
        *_find_mirrored(facts),
    ]
    order = {one.case: number for number, one in enumerate(facts)}
    return sorted(doubts, key=lambda doubt: order[doubt.case])


def _find_odd_sizes(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    for what, unit, sizes in (
        ("voxel", "mm3", [prod(one.spacing_mm) for one in facts]),
        ("image", "voxels", [float(prod(one.shape)) for one in facts]),
    ):
        for number in _find_far(sizes):
            middle = float(np.median(sizes))
            yield Doubt(
                facts[number].case, f"{what} of {sizes[number]:.3g} {unit}, median {middle:.3g}"
            )


def _find_odd_labels(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    values = sorted({value for one in facts for value in one.counts if value})
    for value in values:
        those = [one for one in facts if one.counts.get(value)]
        sizes = [one.counts[value] * prod(one.spacing_mm) / 1000 for one in those]
        unit = "mL" if len(facts[0].shape) == 3 else "thousand pixels"
        for number in _find_far(sizes):
            middle = float(np.median(sizes))
            yield Doubt(
                those[number].case,
                f"label {value} has {sizes[number]:.3g} {unit}, median {middle:.3g}",
            )
        if len(those) < len(facts) and len(facts) - len(those) <= 0.1 * len(facts):
            for one in facts:
                if not one.counts.get(value):
                    yield Doubt(one.case, f"has no label {value}, as {len(those)} others have")


def _find_odd_values(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    """Values of a channel far from those of the others; many such cases are a second kind."""
    for place in range(len(facts[0].channels)):
        having = [(one.case, one.channels[place]) for one in facts]
        those = [(case, c) for case, c in having if c is not None and len(c.foreground)]
        if len(those) >= FEWEST:
            yield from _find_odd_channels(those)


def _find_odd_channels(those: Sequence[tuple[str, ChannelFacts]]) -> Iterator[Doubt]:
    middles = np.array([np.median(channel.foreground) for _, channel in those], float)
    middle = float(np.median(middles))
    away = np.abs(middles - middle)
    far = away > max(OUTLIER * _SD * float(np.median(away)), 1e-9)
    if far.sum() > MOST_ODD * len(those):
        return
    for number in np.flatnonzero(far).tolist():
        case, channel = those[number]
        said = f"median value within labels {middles[number]:.4g}, of the others {middle:.4g}"
        yield Doubt(case, f"{channel.name}: {said}" if channel.name else said)


def _find_exchanged_channels(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    """Cases two of whose channels have each the values that the other has in the other cases."""
    middles = np.array([[_find_middle(channel) for channel in one.channels] for one in facts])
    if np.isnan(middles).all(axis=0).any():
        return
    usual = np.nanmedian(middles, axis=0)
    spread = OUTLIER * _SD * np.nanmedian(np.abs(middles - usual), axis=0)
    for one, values in zip(facts, middles, strict=True):
        for a, b in combinations(range(len(values)), 2):
            pair, far = [a, b], spread[[a, b]]
            own = np.abs(values[pair] - usual[pair])
            exchanged = np.abs(values[[b, a]] - usual[pair])
            if (own > far).all() and (exchanged <= far).all():
                names = [one.channels[place].name for place in (a, b)]  # type: ignore[union-attr]
                said = f"{values[a]:.4g} and {values[b]:.4g}, of the others {usual[a]:.4g} and"
                yield Doubt(
                    one.case,
                    f"channels {' and '.join(names)} may be exchanged: median values within labels "
                    f"{said} {usual[b]:.4g}",
                )


def _find_middle(channel: ChannelFacts | None) -> float:
    """The median value of a channel within labels; NaN where there is none."""
    if channel is None or not len(channel.foreground):
        return float("nan")
    return float(np.median(channel.foreground))


def _find_mirrored(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    """Labels that lie where those of the others do only when an axis is turned round."""
    values = sorted({value for one in facts for value in one.places})
    means = {
        value: np.mean([one.places[value] for one in facts if value in one.places], axis=0)
        for value in values
    }
    names = ("right and left", "front and back", "head and feet")
    if len(facts[0].shape) == 2:
        names = ("top and bottom", "left and right", "")
    for one in facts:
        for axis in range(len(one.shape)):
            as_it_is = sum(_overlap(place, means[v]) for v, place in one.places.items())
            turned = sum(_overlap(np.flip(p, axis), means[v]) for v, p in one.places.items())
            if turned > MIRRORED * max(as_it_is, 1e-9):
                said = f"its labels fit the others better with {names[axis]} exchanged"
                yield Doubt(one.case, said)
                break


def _overlap(place: NDArray[np.float32], mean: NDArray[np.float32]) -> float:
    return float(np.minimum(place, mean).sum())


def _find_far(sizes: Sequence[float]) -> list[int]:
    """Which sizes are far from the median, on a scale of factors."""
    if len(sizes) < FEWEST:
        return []
    logs = np.log(np.maximum(sizes, 1e-12))
    away = np.abs(logs - np.median(logs))
    spread = _SD * float(np.median(away))
    far = (away > OUTLIER * spread) & (away > np.log(LEAST_FACTOR))
    return np.flatnonzero(far).tolist()
