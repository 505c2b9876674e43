"""Doubts: cases that differ from all others so much that something may be wrong with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from math import prod

import numpy as np
from numpy.typing import NDArray

from medseg.base.text import count_noun
from medseg.planning.case_facts import THUMBNAIL, CaseFacts, ChannelFacts
from medseg.planning.checks.channel_doubts import (
    OUTLIER,
    SD,
    find_exchanged_channels,
    find_masks_as_images,
    find_same_channels,
)

logger = logging.getLogger(__name__)

FEWEST = 8
"""Of fewer cases none is told from the others."""

LEAST_FACTOR = 1.5
"""A size or value that is far from the others is also so many times as large or small."""

MIRRORED = 1.25
"""A label that fits the others so much better when it is mirrored may be mirrored."""

LEAST_SHIFT = 2 / THUMBNAIL
"""Of the image; less is no shift, however alike the other cases are."""

MOST_TURNED = 0.2
"""Where labels of more cases than this part fit the others better mirrored, they have no side."""

MOST_INVERTED = 0.2
"""Labels of more cases than this part are not inverted: structures may be so large."""

MOST_ODD = 0.05
"""Where more cases than this part, and than two, have odd values, images have several scales, as
those of MR, and only those few are odd that are `FARTHEST_FACTOR` times farther off."""

FARTHEST_FACTOR = 5.0


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
    within labels, whether labels lie elsewhere in the image, and whether mirrored they would fit
    the others better. What is left of labels that are shifted a little is found by `medseg
    crossval`. Of less than `FEWEST` cases these are not compared, see `warn_of_few`. However few
    there are, an image of a single value or of as few as a mask is odd, and so are channels that
    are exchanged or the same, and labels that may be inverted.

    Example:
        >>> find_doubts([])
        []
    """
    doubts = [
        *_find_constant(facts),
        *starmap(Doubt, find_masks_as_images(facts)),
        *starmap(Doubt, find_exchanged_channels(facts)),
        *starmap(Doubt, find_same_channels(facts)),
        *starmap(Doubt, _find_inverted(facts)),
    ]
    if len(facts) >= FEWEST:
        doubts += [
            *_find_odd_sizes(facts),
            *_find_odd_labels(facts),
            *_find_odd_values(facts),
            *_find_odd_places(facts),
        ]
    order = {one.case: number for number, one in enumerate(facts)}
    return sorted(doubts, key=lambda doubt: order[doubt.case])


def warn_of_few(facts: Sequence[CaseFacts]) -> None:
    """Say where there are too few cases to tell one from the others."""
    if 0 < len(facts) < FEWEST:
        logger.warning(
            "%s: sizes, values and places of labels are compared from %d on; look at the pictures "
            "in plan.html",
            *(count_noun(len(facts), "case"), FEWEST),
        )


def _find_constant(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    for one in facts:
        for channel in one.channels:
            if channel is not None and channel.is_constant:
                said = "the whole image has one value"
                yield Doubt(one.case, f"{channel.name}: {said}" if channel.name else said)


def _find_odd_sizes(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    elements = "voxels" if len(facts[0].shape) == 3 else "pixels"
    for what, unit, digits, sizes in (
        ("voxel", "mm3", ".3g", [prod(one.spacing_mm) for one in facts]),
        ("image", elements, ".0f", [float(prod(one.shape)) for one in facts]),
    ):
        for number in _find_far(sizes):
            size, middle = (format(n, digits) for n in (sizes[number], float(np.median(sizes))))
            yield Doubt(facts[number].case, f"{what} of {size} {unit}, median {middle}")


def _format(size: float) -> str:
    """Three digits at least, and no exponent."""
    return f"{size:.0f}" if size >= 100 else f"{size:.3g}"


def _find_odd_labels(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    values = sorted({value for one in facts for value in one.counts if value})
    for value in values:
        those = [one for one in facts if one.counts.get(value)]
        unit, size = ("mL", 1000) if len(facts[0].shape) == 3 else ("pixels", 1)
        sizes = [one.counts[value] * prod(one.spacing_mm) / size for one in those]
        for number in _find_far(sizes):
            middle = float(np.median(sizes))
            yield Doubt(
                those[number].case,
                f"label {value} has {_format(sizes[number])} {unit}, median {_format(middle)}",
            )
        if len(those) < len(facts) and len(facts) - len(those) <= 0.1 * len(facts):
            for one in facts:
                if not one.counts.get(value):
                    yield Doubt(one.case, f"has no label {value}, as {len(those)} others have")


def _find_odd_values(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    """Values of a channel far from those of the others; of many such cases the farthest."""
    for place in range(len(facts[0].channels)):
        having = [(one.case, one.channels[place]) for one in facts]
        those = [(case, c) for case, c in having if c is not None and len(c.foreground)]
        if len(those) >= FEWEST:
            yield from _find_odd_channels(those)


def _find_odd_channels(those: Sequence[tuple[str, ChannelFacts]]) -> Iterator[Doubt]:
    middles = np.array([np.median(channel.foreground) for _, channel in those], float)
    middle = float(np.median(middles))
    away = np.abs(middles - middle)
    limit = max(OUTLIER * SD * float(np.median(away)), 1e-9)
    factors = _find_factors(middles, middle)
    far = np.flatnonzero((away > limit) & (factors > LEAST_FACTOR))
    most = int(max(MOST_ODD * len(those), 2))
    if len(far) > most:
        next_farthest = np.sort(factors[far])[-most - 1]
        far = far[factors[far] > FARTHEST_FACTOR * next_farthest]
    for number in far.tolist():
        case, channel = those[number]
        said = f"median value within labels {middles[number]:.4g}, of the others {middle:.4g}"
        yield Doubt(case, f"{channel.name}: {said}" if channel.name else said)


def _find_factors(values: NDArray[np.float64], middle: float) -> NDArray[np.float64]:
    """How many times as large or small as the middle each value is; of the other sign infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values / middle
        return np.where(ratios > 0, np.maximum(ratios, 1 / ratios), np.inf)


def _find_inverted(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str]]:
    """Cases whose labels lie where the background of the others does."""
    shares = [1 - one.counts.get(0, 0) / max(sum(one.counts.values()), 1) for one in facts]
    most = max(1, round(MOST_INVERTED * len(facts)))
    large = [number for number, share in enumerate(shares) if share > 0.5]
    if len(large) <= most and len(large) < len(facts) - 1:
        middle = float(np.median(shares))
        for n in large:
            said = f"its labels are larger than the background ({shares[n]:.0%} of the image"
            yield facts[n].case, f"{said}, median {middle:.0%}): they may be inverted"
    sides = [one.sides_touched for one in facts]
    wide = [n for n, one in enumerate(facts) if sides[n] == 2 * len(one.shape)]
    if len(wide) <= most and not np.median(sides):
        for n in {*wide} - {*large}:
            yield (
                facts[n].case,
                "its labels touch all borders of the image, and those of most others none",
            )


def _find_odd_places(facts: Sequence[CaseFacts]) -> Iterator[Doubt]:
    """Labels that mirrored lie where those of the others do, or else far from them."""
    mirrored = dict(_find_mirrored(facts))
    for case, axis in mirrored.items():
        said = f"its labels fit the others better with {_name_axes(facts)[axis]} exchanged"
        yield Doubt(case, said)
    for case, axis, share in _find_shifted(facts):
        if case not in mirrored:
            ends = _name_axes(facts)[axis].replace(" and ", " or ")
            said = f"its labels are shifted by {100 * share:.0f} % of the image to the {ends}"
            yield Doubt(case, f"{said}, compared with the other cases")


def _name_axes(facts: Sequence[CaseFacts]) -> tuple[str, ...]:
    if len(facts[0].shape) == 2:
        return ("top and bottom", "left and right")
    return ("right and left", "front and back", "head and feet")


def _find_mirrored(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, int]]:
    """The cases whose labels fit the others only when an axis is turned round, and the axis.

    Along an axis where many do, labels have no side, and none is mirrored.
    """
    values = sorted({value for one in facts for value in one.places})
    means = {
        value: np.mean([one.places[value] for one in facts if value in one.places], axis=0)
        for value in values
    }
    labelled = [one for one in facts if one.places]
    as_it_is = [_fit(one.places, means) for one in labelled]
    for axis in range(len(facts[0].shape)):
        turned = [
            _fit({value: np.flip(p, axis) for value, p in one.places.items()}, means)
            for one in labelled
        ]
        better = np.array(turned) / np.maximum(as_it_is, 1e-9)
        if (better > 1).mean() <= MOST_TURNED:
            for number in np.flatnonzero(better > MIRRORED):
                yield labelled[number].case, axis


def _fit(
    places: Mapping[int, NDArray[np.float32]], means: Mapping[int, NDArray[np.float32]]
) -> float:
    """How much the labels of a case overlap with the mean of those of all."""
    return sum(float(np.minimum(p, means[value]).sum()) for value, p in places.items())


def _find_shifted(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, int, float]]:
    """The cases whose labels lie far from the others', the axis, and how far, of the image."""
    labelled = [one for one in facts if any(p.any() for p in one.places.values())]
    if len(labelled) < FEWEST:
        return
    centres = np.array([_find_centre(one) for one in labelled])
    away = np.abs(centres - np.median(centres, axis=0))
    limit = np.maximum(OUTLIER * SD * np.median(away, axis=0), LEAST_SHIFT)
    for number in np.flatnonzero((away > limit).any(axis=1)):
        axis = int((away[number] / limit).argmax())
        yield labelled[number].case, axis, float(away[number, axis])


def _find_centre(one: CaseFacts) -> NDArray[np.float64]:
    """The centre of all labels of a case, along each axis of the image, from 0 to 1."""
    mass = np.sum(list(one.places.values()), axis=0, dtype=np.float64)
    at = np.indices(mass.shape).reshape(mass.ndim, -1)
    return at @ mass.ravel() / mass.sum() / THUMBNAIL


def _find_far(sizes: Sequence[float]) -> list[int]:
    """Which sizes are far from the median, on a scale of factors."""
    if len(sizes) < FEWEST:
        return []
    logs = np.log(np.maximum(sizes, 1e-12))
    away = np.abs(logs - np.median(logs))
    spread = SD * float(np.median(away))
    far = (away > OUTLIER * spread) & (away > np.log(LEAST_FACTOR))
    return np.flatnonzero(far).tolist()
