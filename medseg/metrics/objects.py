"""Objects: which predicted objects match a true one, and the average precision that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoU 0.5, 0.55, ..., 0.95: those that the Data Science Bowl 2018 averages over."""


@dataclass(frozen=True, eq=False)
class ObjectMatches:
    """The objects of a case or, added up, of several: `first + second`.

    An object predicted at a true one's place matches it at threshold t if their IoU is above t. An
    IoU above 1/2 leaves room for no second partner on either side, so that thresholds from 1/2 on
    need no rule which of several to take.

    Args:
        ious: IoU of each pair above 1/2.
        true: number of true objects.
        predicted: number of predicted objects.
    """

    ious: np.ndarray = field(default_factory=lambda: np.zeros(0))
    true: int = 0
    predicted: int = 0

    def __add__(self, other: ObjectMatches) -> ObjectMatches:
        ious = np.concatenate([self.ious, other.ious])
        return ObjectMatches(ious, self.true + other.true, self.predicted + other.predicted)

    def count(self, threshold: float) -> dict[str, int]:
        """Objects found `tp`, predicted without a match `fp` and missed `fn`, at one threshold.

        Raises:
            ValueError: a threshold below 1/2, or 1 and above.
        """
        check_threshold(threshold)
        found = int(np.count_nonzero(self.ious > threshold))
        return {"tp": found, "fp": self.predicted - found, "fn": self.true - found}

    def average_precision(self, threshold: float) -> float:
        """TP / (TP + FP + FN) at one threshold; not a number without any object."""
        counts = self.count(threshold)
        total = sum(counts.values())
        return counts["tp"] / total if total else math.nan

    @property
    def score(self) -> float:
        """Mean of `average_precision` over `THRESHOLDS`; not a number without any object."""
        return float(np.mean([self.average_precision(t) for t in THRESHOLDS]))


def match_objects(pred: np.ndarray, label: np.ndarray) -> ObjectMatches:
    """Match the numbered objects of a prediction with those of the truth.

    The numbers are ids and no more: any integers, with gaps, 0 being no object. The overlaps of all
    pairs are counted in one pass over the voxels, so that the cost does not grow with the number of
    pairs.

    Args:
        pred: predicted objects, in any number of dimensions.
        label: true objects, of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> matches = match_objects(np.array([1, 1, 1, 0, 2]), np.array([7, 7, 0, 0, 0]))
        >>> matches.count(0.5), matches.average_precision(0.5)  # IoU 2/3, and one too many
        ({'tp': 1, 'fp': 1, 'fn': 0}, 0.5)

    Source: Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science
    Bowl", 2019, and the evaluation page of the competition: an object is hit if its IoU with a true
    one is greater than the threshold.
    """
    if pred.shape != label.shape:
        raise ValueError(
            f"predicted and true objects differ in shape, {pred.shape} and {label.shape}: "
            "bring both to the same grid"
        )
    ids, sizes = np.unique(pred[pred != 0], return_counts=True)
    true_ids, true_sizes = np.unique(label[label != 0], return_counts=True)
    both = (pred != 0) & (label != 0)
    first = np.searchsorted(true_ids, label[both])
    second = np.searchsorted(ids, pred[both])
    pairs, overlaps = np.unique(first * len(ids) + second, return_counts=True)
    first, second = np.divmod(pairs, max(len(ids), 1))
    ious = overlaps / (true_sizes[first] + sizes[second] - overlaps)
    return ObjectMatches(ious[ious > THRESHOLDS[0]], len(true_ids), len(ids))


def check_threshold(threshold: float) -> None:
    """Refuse an IoU at which an object may have several partners, or none whatever it is."""
    if not THRESHOLDS[0] <= threshold < 1:
        raise ValueError(
            f"an IoU threshold must be 0.5 or more and below 1, got {threshold}: below 0.5 an "
            "object may match several; pass for instance 0.5"
        )
