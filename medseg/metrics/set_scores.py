"""Set scores: the scores of all cases taken together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medseg.metrics.confusion import ConfusionMatrix, average_known
from medseg.metrics.lesions import Lesion, score_lesions
from medseg.metrics.objects import ObjectMatches


@dataclass(frozen=True)
class ClassResult:
    """What one case has of one class.

    Args:
        iou: of the masks; not a number if both are empty.
        matches: of the objects; None if they are not scored.
        lesions: of both masks; None if they are not scored.
    """

    iou: float
    matches: ObjectMatches | None = None
    lesions: list[Lesion] | None = None


@dataclass
class _Class:
    """What was gathered of one class."""

    ious: list[float] = field(default_factory=list)
    matches: ObjectMatches | None = None
    lesions: list[Lesion] | None = None


class WholeSet:
    """Gathers cases, and gives the scores of the set.

    - `pixel_accuracy` and `mean_iou`, and the `iou` of each class, are those of all voxels of all
      cases together, see `ConfusionMatrix`.
    - `cases_at_iou` is, for each class and threshold, the share of cases whose own IoU is at the
      threshold or above, of the `n` cases where the class is in truth or prediction. With one
      region per picture, as of a road, it is the share of pictures in which that was found.
    - `objects` has, for each class and threshold, `tp`, `fp`, `fn` over all cases and
      `average_precision`, TP / (TP + FP + FN); `score` is its mean over IoU 0.5 to 0.95.
    - `lesions` has, for each class, how many there are of each kind, their sensitivity, precision
      and F1, and the false ones per case.

    Args:
        classes: names of the foreground classes, in order.
        thresholds: of the IoU, from 0.5 to below 1.
        members: for each class the indices whose voxels belong to it; None for its own alone.

    Example:
        >>> cases = WholeSet(["road"], thresholds=[0.5])
        >>> mask = np.array([[0, 1]])
        >>> cases.add(mask, mask, {"road": ClassResult(iou=1.0)})
        >>> cases.summarise()["mean_iou"]
        1.0
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        thresholds: Sequence[float],
        members: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.thresholds = tuple(thresholds)
        self.members = members or [[index] for index in range(1, 1 + len(classes))]
        self.cases = 0
        self.confusion = ConfusionMatrix(1 + len(classes))
        self._classes = {name: _Class() for name in classes}

    def add(
        self,
        pred: np.ndarray,
        label: np.ndarray,
        results: Mapping[str, ClassResult],
        *,
        counted: np.ndarray | None = None,
    ) -> None:
        """Add a case.

        Args:
            pred, label: class indices, of one shape.
            results: what the case has of each class.
            counted: False where a voxel does not count.

        Raises:
            ValueError: what `ConfusionMatrix.add` refuses; nothing is added then.
        """
        self.confusion.add(pred, label, counted=counted)
        self.cases += 1
        for name, result in results.items():
            gathered = self._classes[name]
            gathered.ious.append(result.iou)
            if result.matches is not None:
                gathered.matches = (gathered.matches or ObjectMatches()) + result.matches
            if result.lesions is not None:
                gathered.lesions = (gathered.lesions or []) + result.lesions

    def summarise(self) -> dict[str, Any]:
        """The scores for JSON: what is not a number is None, what was not scored is left out."""
        ious = [self.confusion.compute_iou(indices) for indices in self.members]
        classes = {
            name: {"iou": _convert_to_json(iou), **self._summarise_class(gathered)}
            for iou, (name, gathered) in zip(ious, self._classes.items(), strict=True)
        }
        return {
            "cases": self.cases,
            "pixel_accuracy": _convert_to_json(self.confusion.pixel_accuracy),
            "mean_iou": _convert_to_json(average_known(ious)),
            "background_iou": _convert_to_json(self.confusion.compute_iou([0])),
            "classes": classes,
        }

    def _summarise_class(self, gathered: _Class) -> dict[str, Any]:
        found: dict[str, Any] = {
            "cases_at_iou": _compute_share_at_iou(gathered.ious, self.thresholds)
        }
        if gathered.matches is not None:
            found["objects"] = _score_objects(gathered.matches, self.thresholds)
        if gathered.lesions is not None:
            found["lesions"] = _score_lesions(gathered.lesions, self.cases)
        return found


def _compute_share_at_iou(ious: Sequence[float], thresholds: Sequence[float]) -> dict[str, Any]:
    known = [iou for iou in ious if not math.isnan(iou)]
    shares = {
        f"{t:g}": sum(iou >= t for iou in known) / len(known) if known else None for t in thresholds
    }
    return {"n": len(known), **shares}


def _score_objects(matches: ObjectMatches, thresholds: Sequence[float]) -> dict[str, Any]:
    at = {
        f"{t:g}": {
            **matches.count(t),
            "average_precision": _convert_to_json(matches.average_precision(t)),
        }
        for t in thresholds
    }
    return {
        "true": matches.true,
        "predicted": matches.predicted,
        **at,
        "score": _convert_to_json(matches.score),
    }


def _score_lesions(lesions: Sequence[Lesion], cases: int) -> dict[str, Any]:
    kinds = [lesion.kind for lesion in lesions]
    counts = {kind: kinds.count(kind) for kind in ("found", "missed", "true", "false")}
    scores = {name: _convert_to_json(value) for name, value in score_lesions(lesions).items()}
    return {**counts, **scores, "false_per_case": counts["false"] / cases}


def _convert_to_json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
