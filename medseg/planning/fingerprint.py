"""Fingerprint: what the cases of a dataset have in common, for a plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medseg.base.text import count_noun, shorten_list
from medseg.planning.case_facts import PERCENTILES, CaseFacts, ChannelFacts

MOST_VALUES = {2: 40, 3: 130}
"""By dimensions; of more values none is taken for a label. TotalSegmentator has 117 classes in
volumes, Cityscapes 35 in pictures, where masks that were once JPEG have 80 values and more."""

MIRRORED = 0.9
"""Where labels that are mirrored overlap with those of other cases less than so many times as much
as they do otherwise, images have a side that tells them apart."""

COMPARED = 40
"""So many cases are compared with each other, spread evenly over all."""


_KINDS = {(2, 1): "pictures in grey", (2, 3): "pictures in colour", (3, 1): "volumes"}


@dataclass(frozen=True)
class ChannelValues:
    """The values of one channel within labels, in all cases that have it.

    Attributes:
        name: of the channel; "" for a single one.
        is_ct: whether most of the images are CT.
        percentiles: 0.5, 50 and 99.5.
        mean: of the values.
        sd: their standard deviation.
        cases: how many have the channel.
    """

    name: str
    is_ct: bool
    percentiles: tuple[float, float, float]
    mean: float
    sd: float
    cases: int


@dataclass(frozen=True)
class Fingerprint:
    """What the cases of a dataset have in common.

    Attributes:
        cases: how many.
        dimensions: 3 for volumes, 2 for pictures.
        colours: 3 of pictures in colour, else 1.
        shape: median voxels to the right, to the front and to the head; rows and columns.
        smallest_shape: smallest along each axis.
        spacing_mm: median of the voxels along the same axes.
        coarse_mm: the tenth percentile along the axis of the coarsest voxels; 0 for pictures.
        spacing_varies: whether spacing differs between cases by more than 1 %.
        values: every label value, background included.
        shares: label value -> mean share of the foreground voxels.
        present: label value -> in how many cases it is.
        smallest_mm: label value -> the edge of a cube of its median volume, in mm; in pixels for
            pictures.
        channels: the values of each.
        one_sided_axes: axes along which the labels of all cases lie more to one side.
        labelled_slices: mean number of slices with a label, cut along each axis; of volumes.
        parts: label value -> connected parts of it, the median of the cases that have it.
        part_mm: label value -> the edge of a cube of the median volume of all its parts, in mm; in
            pixels for pictures.
    """

    cases: int
    dimensions: int
    colours: int
    shape: tuple[int, ...]
    smallest_shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    coarse_mm: float
    spacing_varies: bool
    values: tuple[int, ...]
    shares: dict[int, float]
    present: dict[int, int]
    smallest_mm: dict[int, float]
    channels: tuple[ChannelValues, ...]
    one_sided_axes: tuple[int, ...]
    labelled_slices: tuple[float, ...] = ()
    parts: dict[int, float] = field(default_factory=dict)
    part_mm: dict[int, float] = field(default_factory=dict)

    @property
    def anisotropy(self) -> float:
        """How many times longer than the shortest side of the median voxel its longest one is."""
        return max(self.spacing_mm) / min(self.spacing_mm)


def make_fingerprint(
    facts: Sequence[CaseFacts], *, classes: Collection[str] | None = None
) -> Fingerprint:
    """Put the facts of all cases together.

    Args:
        facts: of each case.
        classes: names of the classes, where a person or dataset.json declares them.

    Raises:
        ValueError: no cases, cases of different dimensions or channels, no label in any, or more
            classes, or else values that no one declares, than `MOST_VALUES`.
    """
    if not facts:
        raise ValueError("no case can be used: mend the faults above")
    dimensions, colours = _find_kind(facts)
    values = sorted({value for one in facts for value in one.counts} | {0})
    if values == [0]:
        raise ValueError("no label map holds anything but background: check the labels")
    if classes is None:
        _check_values(facts, values, most=MOST_VALUES[dimensions])
    else:
        _check_classes(classes, most=MOST_VALUES[dimensions])
    spacing = np.array([one.spacing_mm for one in facts])
    shape = np.array([one.shape for one in facts])
    median = np.median(spacing, axis=0)
    coarse = int(median.argmax())
    tenth = round(float(np.percentile(spacing[:, coarse], 10)), 4)
    foreground = {value: _collect(facts, value) for value in values if value}
    parts = {
        value: each
        for value in foreground
        if (each := [one.parts[value] for one in facts if one.parts.get(value)])
    }
    total = sum(sum(counts) for counts in foreground.values())
    return Fingerprint(
        cases=len(facts),
        dimensions=dimensions,
        colours=colours,
        shape=tuple(int(n) for n in np.median(shape, axis=0).round()),
        smallest_shape=tuple(int(n) for n in shape.min(axis=0)),
        spacing_mm=tuple(round(float(v), 4) for v in median),
        coarse_mm=tenth if dimensions == 3 else 0.0,
        spacing_varies=bool((np.ptp(spacing, axis=0) > 0.01 * median).any()),
        values=tuple(values),
        shares={value: sum(counts) / total for value, counts in foreground.items()},
        present={value: len(counts) for value, counts in foreground.items()},
        smallest_mm={
            value: float(np.median(counts) * np.prod(median)) ** (1 / dimensions)
            for value, counts in foreground.items()
        },
        channels=tuple(
            _pool([one for one in each if one is not None])
            for each in zip(*(one.channels for one in facts), strict=True)
        ),
        one_sided_axes=tuple(a for a in range(dimensions) if _is_one_sided(facts, values, a)),
        labelled_slices=tuple(
            round(float(np.mean(each)), 1)
            for each in zip(*(one.labelled_slices for one in facts), strict=True)
        ),
        parts={value: float(np.median(list(map(len, each)))) for value, each in parts.items()},
        part_mm={
            value: float(np.median(np.concatenate(each)) * np.prod(median)) ** (1 / dimensions)
            for value, each in parts.items()
        },
    )


def _find_kind(facts: Sequence[CaseFacts]) -> tuple[int, int]:
    """Dimensions and colours, which all cases share."""
    cases: dict[tuple[int, int], list[str]] = {}
    for one in facts:
        cases.setdefault((len(one.shape), one.colours), []).append(one.case)
    if len(cases) > 1:
        described = ", ".join(
            f"{_KINDS[kind]} in {count_noun(len(names), 'case')} ({shorten_list(names)})"
            for kind, names in cases.items()
        )
        raise ValueError(
            f"the images are of different kinds, {described}: convert them to one kind, or take "
            "those of the other out"
        )
    return next(iter(cases))


def _check_values(facts: Sequence[CaseFacts], values: Sequence[int], *, most: int) -> None:
    """Refuse more values than structures have, and name the case with the most."""
    if len(values) > most:
        worst = max(facts, key=lambda one: len(one.counts))
        raise ValueError(
            f"the labels hold {len(values)} different values, from {values[0]} to {values[-1]}, "
            f"and that of case {worst.case} alone {len(worst.counts)}, of {most} at most: give "
            "labels instead of images or of masks that were once JPEG, and where each value is a "
            "structure, gather some in one class by --classes"
        )


def _check_classes(classes: Collection[str], *, most: int) -> None:
    """Refuse more classes than a network has."""
    if len(classes) >= most:
        raise ValueError(
            f"{len(classes)} classes are declared, and a network has {most - 1} at most beside the "
            "background: gather some in one class, or leave some out, by --classes"
        )


def _pool(channels: Sequence[ChannelFacts]) -> ChannelValues:
    """The values of a channel in the cases that have it."""
    pooled = np.concatenate([one.foreground for one in channels])
    if not pooled.size:
        raise ValueError(
            f"channel {channels[0].name} is in no case that has a label: leave it out by --channels"
        )
    low, middle, high = (float(v) for v in np.percentile(pooled, PERCENTILES))
    return ChannelValues(
        name=channels[0].name,
        is_ct=sum(one.is_ct for one in channels) * 2 > len(channels),
        percentiles=(low, middle, high),
        mean=float(pooled.mean()),
        sd=float(pooled.std()),
        cases=len(channels),
    )


def _collect(facts: Sequence[CaseFacts], value: int) -> list[int]:
    """The voxels of a label in each case that has it."""
    return [one.counts[value] for one in facts if one.counts.get(value)]


def _is_one_sided(facts: Sequence[CaseFacts], values: Sequence[int], axis: int) -> bool:
    """Whether labels lie elsewhere, mirrored along an axis, than those of other cases do."""
    step = -(-len(facts) // COMPARED)
    for value in values:
        found = [one.places[value] for one in facts[::step] if value in one.places]
        if len(found) < 2:
            continue
        places = np.stack(found)
        own = _compute_overlap(places, places)
        if _compute_overlap(np.flip(places, axis + 1), places) < MIRRORED * own:
            return True
    return False


def _compute_overlap(places: NDArray, others: NDArray) -> float:
    """The mean Dice between a map of one case and the map of each other case."""
    scores = []
    for number, place in enumerate(places):
        rest = np.delete(others, number, axis=0)
        axes = tuple(range(1, rest.ndim))
        total = place.sum() + rest.sum(axis=axes)
        shared = 2 * np.minimum(place, rest).sum(axis=axes)
        scores.append(shared / np.maximum(total, np.finfo(np.float32).tiny))
    return float(np.mean(scores))
