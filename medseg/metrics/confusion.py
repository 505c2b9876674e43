"""Confusion: count voxels by true and predicted class over all cases of a set."""

import math
from collections.abc import Sequence

import numpy as np

_BLOCK = 2**20
"""Voxels that are counted at a time: numpy widens them to 8 bytes each."""


class ConfusionMatrix:
    """Counts voxels by true and predicted class; the scores are those of all voxels together.

    A large object thus weighs more than a small one, and a case more the larger its image is. Means
    over cases, as `CaseMetrics` has them beside these, weigh every case alike.

    Args:
        classes: number of classes, the background, 0, included.

    Attributes:
        counts: int64 (classes, classes), true class first.

    Raises:
        ValueError: no class.

    Example:
        >>> matrix = ConfusionMatrix(2)
        >>> matrix.add(np.array([0, 1, 1]), np.array([0, 1, 0]))
        >>> matrix.counts.tolist()
        [[1, 1], [0, 1]]
        >>> matrix.iou.tolist()
        [0.5, 0.5]

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", 2015,
    section 4.4; Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding",
    2016, section 3.1, whose published evaluation sums over the set likewise.
    """

    def __init__(self, classes: int) -> None:
        if classes < 1:
            raise ValueError(
                f"a confusion matrix needs one or more classes, got {classes}: name them"
            )
        self.counts = np.zeros((classes, classes), np.int64)

    def add(
        self, pred: np.ndarray, label: np.ndarray, *, counted: np.ndarray | None = None
    ) -> None:
        """Count the voxels of a case.

        Args:
            pred: predicted class indices, of any number of dimensions.
            label: true class indices, of the same shape.
            counted: False where a voxel does not count; its values are not looked at.

        Raises:
            ValueError: the shapes differ, or a value is no class index; nothing is counted then.
        """
        shapes = {x.shape for x in (pred, label, counted) if x is not None}
        if len(shapes) > 1:
            raise ValueError(
                f"prediction and label differ in shape, {pred.shape} and {label.shape}: "
                "bring both to the same grid"
            )
        if counted is not None:
            pred, label = pred[counted], label[counted]
        pred, label = pred.reshape(-1), label.reshape(-1)
        self.counts += sum(
            (
                self._count(pred[start : start + _BLOCK], label[start : start + _BLOCK])
                for start in range(0, pred.size, _BLOCK)
            ),
            start=np.zeros_like(self.counts),
        )

    @property
    def iou(self) -> np.ndarray:
        """IoU of each class, TP / (TP + FP + FN); not a number where a class never occurs."""
        true, predicted = self.counts.sum(1), self.counts.sum(0)
        return _divide(self.counts.diagonal(), true + predicted - self.counts.diagonal())

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the foreground classes that occur in truth or prediction."""
        return average_known(self.iou[1:])

    def compute_iou(self, classes: Sequence[int]) -> float:
        """IoU of several classes taken as one, such as a region made of them."""
        indices = list(classes)
        both = self.counts[np.ix_(indices, indices)].sum()
        true, predicted = self.counts[indices].sum(), self.counts[:, indices].sum()
        return float(_divide(both, true + predicted - both))

    @property
    def pixel_accuracy(self) -> float:
        """Share of voxels whose class is right, the background included."""
        return float(_divide(self.counts.trace(), self.counts.sum()))

    def _count(self, pred: np.ndarray, label: np.ndarray) -> np.ndarray:
        classes = len(self.counts)
        rows, columns = (
            _convert_to_indices(x, classes, name)
            for x, name in ((label, "label"), (pred, "prediction"))
        )
        counts: np.ndarray = np.bincount(rows * classes + columns, minlength=classes**2)
        return counts.reshape(classes, classes)


def average_known(values: Sequence[float] | np.ndarray) -> float:
    """Mean of the values that are numbers; not a number if none is."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _convert_to_indices(values: np.ndarray, classes: int, name: str) -> np.ndarray:
    """The values as class indices."""
    valid = (values >= 0) & (values < classes) & (values == np.floor(values))
    if not valid.all():
        wrong = np.unique(values[~valid])[:3].tolist()
        raise ValueError(
            f"class indices of the {name} must be 0 to {classes - 1}, got "
            f"{', '.join(f'{value:g}' for value in wrong)}: merge the labels, or name the value "
            "in ignore_label"
        )
    return values.astype(np.int64)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, not a number where both are 0."""
    whole = np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(whole.shape, math.nan), where=whole > 0)
