"""Overlaps: where the masks of a case lie, and how far those of two names share voxels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import find_box


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask, kept within the box around it.

    Attributes:
        box: where it lies in its image.
        inside: its voxels in the box.
    """

    box: tuple[slice, ...]
    inside: NDArray[np.bool_]

    @classmethod
    def crop(cls, mask: NDArray[np.bool_]) -> Mask:
        """The mask in the box around it; of an empty one the box is empty."""
        box = find_box(mask) if mask.any() else (slice(0, 0),) * mask.ndim
        return cls(box, mask[box].copy())

    @property
    def voxels(self) -> int:
        """How many voxels are within."""
        return int(np.count_nonzero(self.inside))

    def count_shared(self, other: Mask) -> int:
        """How many voxels both have."""
        pairs = zip(self.box, other.box, strict=True)
        both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in pairs]
        if any(one.start >= one.stop for one in both):
            return 0
        own, others = (mask.inside[_move(both, mask.box)] for mask in (self, other))
        return int(np.count_nonzero(own & others))

    def join(self, other: Mask) -> Mask:
        """The voxels that one of both has."""
        if not (self.voxels and other.voxels):
            return self if self.voxels else other
        pairs = zip(self.box, other.box, strict=True)
        box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs)
        inside = np.zeros([one.stop - one.start for one in box], np.bool_)
        for mask in (self, other):
            inside[_move(mask.box, box)] |= mask.inside
        return Mask(box, inside)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What the masks of several cases share, by their names.

    Attributes:
        voxels: of each name, in all cases.
        shared: of two names, in the order of the alphabet.
        dice: likewise, in each case in which one of them has a voxel and both have a mask.
        cases: likewise, in how many cases they share a voxel.
    """

    voxels: Counter[str] = field(default_factory=Counter)
    shared: Counter[tuple[str, str]] = field(default_factory=Counter)
    dice: defaultdict[tuple[str, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    cases: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, masks: Mapping[str, Mask]) -> None:
        """Count the masks of one more case."""
        sizes = {name: mask.voxels for name, mask in masks.items()}
        self.voxels.update(sizes)
        for a, b in combinations(sorted(masks), 2):
            if sizes[a] + sizes[b] == 0:
                continue
            both = masks[a].count_shared(masks[b])
            self.shared[a, b] += both
            self.cases[a, b] += both > 0
            self.dice[a, b].append(2 * both / (sizes[a] + sizes[b]))

    def find_mean_dice(self) -> dict[tuple[str, str], float]:
        """The mean Dice of each two names over the cases that have a mask of both."""
        return {pair: float(np.mean(values)) for pair, values in self.dice.items()}

    def list_within(self, name: str, *, least: float) -> list[str]:
        """The names whose voxels lie within those of a name, to the share `least` of them.

        They are in the order of the alphabet; a name without voxels is in none, and of two that
        are equal the one that comes later lies within the other.
        """
        found = []
        for other, voxels in sorted(self.voxels.items()):
            if other == name or not voxels or (voxels, name) > (self.voxels[name], other):
                continue
            first, second = sorted((name, other))
            if self.shared[first, second] >= least * voxels:
                found.append(other)
        return found


def sort_by_size(voxels: Mapping[str, int]) -> Sequence[str]:
    """Names from the largest to the smallest, and those of one size by the alphabet."""
    return sorted(voxels, key=lambda name: (-voxels[name], name))


def _move(box: Sequence[slice], start: Sequence[slice]) -> tuple[slice, ...]:
    """A box as an index into an array that begins where another box does."""
    return tuple(
        slice(one.start - other.start, one.stop - other.start)
        for one, other in zip(box, start, strict=True)
    )
