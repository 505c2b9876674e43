"""CaseScorer: measure all scores of one case, class by class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import convert_to_numpy

from medseg.base.arguments import check_component_options, require_bool
from medseg.base.masks import label_components
from medseg.geometry import Geometry
from medseg.metrics.lesions import LESION_SCORES, find_lesions, score_lesions
from medseg.metrics.objects import (
    ObjectMatches,
    check_threshold,
    match_objects,
)
from medseg.metrics.scores import SCORES, score_case
from medseg.metrics.set_scores import ClassResult
from medseg.metrics.sizes import measure_sizes

UNITS = ("mm", "pixel")


@dataclass(frozen=True, eq=False)
class ScoredCase:
    """A case and its scores.

    Args:
        pred, label: class indices (*spatial).
        counted: False where a voxel does not count; None if all do.
        spacing: size of a voxel along each axis, in the unit of the scorer.
        scores: class -> name of a score -> value.
        sizes: class -> name, such as "true_ml" -> value, see `measure_sizes`.
        results: class -> what the set gathers of it.
    """

    pred: np.ndarray
    label: np.ndarray
    counted: np.ndarray | None
    spacing: Sequence[float]
    scores: dict[str, dict[str, float]]
    sizes: dict[str, dict[str, float]]
    results: dict[str, ClassResult]


class CaseScorer:
    """Scores the prediction of a case against its label.

    The arguments are those of `CaseMetrics`, which makes tables of what this measures.

    Attributes:
        names: of the scores, in the order of the columns.

    Raises:
        TypeError, ValueError: see `CaseMetrics`.

    Example:
        >>> scorer = CaseScorer(["liver"], tolerance=1.0, unit="pixel")
        >>> mask = torch.tensor([[[0, 1]]])
        >>> scorer.score({"case": "a"}, mask, mask).scores["liver"]["dice"]
        1.0
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        tolerance: float,
        unit: str,
        members: Sequence[Sequence[int]] | None = None,
        ignore_label: int | None = None,
        thresholds: Sequence[float] = (),
        objects: bool | str = False,
        lesions: bool = False,
        min_size: int = 1,
        connectivity: int | None = None,
    ) -> None:
        if unit not in UNITS or tolerance < 0 or not classes:
            raise ValueError(
                f"case metrics need a unit of {' or '.join(UNITS)}, a tolerance >= 0 and a class, "
                f"got {unit!r}, {tolerance} and {list(classes)}: correct them"
            )
        for threshold in thresholds:
            check_threshold(threshold)
        check_component_options(min_size, connectivity)
        self.classes = list(classes)
        self.members = _list_members(members, len(self.classes))
        self.tolerance = tolerance
        self.unit = unit
        self.ignore_label = ignore_label
        self.thresholds = tuple(thresholds)
        self.objects = _parse_key_or_bool(objects)
        self.lesions = require_bool(lesions, "lesions")
        self.min_size = min_size
        self.connectivity = connectivity

    @property
    def names(self) -> list[str]:
        """Names of the scores of a case and class, in the order of the table's columns."""
        surface = f"surface_dice_{self.tolerance:g}{self.unit}"
        names = ["dice", "iou", f"hd95_{self.unit}", surface]
        if self.objects:
            names += [f"object_ap{100 * t:g}" for t in self.thresholds] + ["object_score"]
        return [*names, *LESION_SCORES] if self.lesions else names

    def score(self, item: Mapping[str, Any], pred: torch.Tensor, label: torch.Tensor) -> ScoredCase:
        """Score one case.

        Args:
            item: the case; its "case" names it in errors, and it may hold the true objects.
            pred: predicted class indices (1, *spatial).
            label: true class indices (1, *spatial).

        Raises:
            ValueError: the case cannot be scored, see `CaseMetrics`.
        """
        spacing, voxel_mm = [1.0] * (label.ndim - 1), None
        if self.unit == "mm":
            grid = _find_grid(pred, label, case=item["case"])
            spacing = list(grid.spacing_mm[: label.ndim - 1])
            voxel_mm = 1000 * grid.voxel_volume_ml if label.ndim == 4 else math.prod(spacing)
        predicted, true = pred[0].cpu().numpy(), label[0].cpu().numpy()
        if predicted.shape != true.shape:
            raise ValueError(
                f"prediction and label of case {item['case']} differ in shape, {predicted.shape} "
                f"and {true.shape}: invert the spatial transforms of the preprocessing"
            )
        counted = None if self.ignore_label is None else true != self.ignore_label
        scores, sizes, results = {}, {}, {}
        for name, indices in zip(self.classes, self.members, strict=True):
            masks = _mask(predicted, indices), _mask(true, indices)
            if counted is not None:
                masks = masks[0] & counted, masks[1]
            basic = score_case(*masks, spacing=spacing, tolerance=self.tolerance)
            results[name] = self._make_result(item, *masks, iou=basic["iou"])
            scores[name] = self._name_scores(basic, results[name])
            sizes[name] = measure_sizes(*masks, voxel_mm=voxel_mm)
        return ScoredCase(predicted, true, counted, spacing, scores, sizes, results)

    def _make_result(
        self, item: Mapping[str, Any], pred: np.ndarray, label: np.ndarray, *, iou: float
    ) -> ClassResult:
        matches = lesions = None
        if self.objects:
            matches = match_objects(self._label_pieces(pred), self._find_true_objects(item, label))
        if self.lesions:
            lesions = find_lesions(
                pred, label, min_size=self.min_size, connectivity=self.connectivity
            )
        return ClassResult(iou, matches, lesions)

    def _label_pieces(self, mask: np.ndarray) -> np.ndarray:
        return label_components(mask, min_size=self.min_size, connectivity=self.connectivity)[0]

    def _find_true_objects(self, item: Mapping[str, Any], label: np.ndarray) -> np.ndarray:
        """The numbered objects of the case inside the mask of a class, or the mask's components."""
        if not isinstance(self.objects, str):
            return self._label_pieces(label)
        if self.objects not in item:
            raise ValueError(
                f"case {item['case']} has no {self.objects!r}, the true objects: load them in "
                "validate#preprocessing, or set objects to True for the pieces of the label"
            )
        numbered = convert_to_numpy(item[self.objects])[0]
        if numbered.shape != label.shape:
            raise ValueError(
                f"objects and label of case {item['case']} differ in shape, {numbered.shape} and "
                f"{label.shape}: give both the same spatial transforms"
            )
        return np.where(label, numbered, 0)

    def _name_scores(self, basic: dict[str, float], result: ClassResult) -> dict[str, float]:
        """The scores of a class by their names."""
        values = [basic[name] for name in SCORES]
        if (matches := result.matches) is not None:
            values += [*_average_precisions(matches, self.thresholds), matches.score]
        if result.lesions is not None:
            values += score_lesions(result.lesions).values()
        return dict(zip(self.names, values, strict=True))


def _mask(label: np.ndarray, indices: Sequence[int]) -> np.ndarray:
    """Where the label has one of the class indices."""
    mask: np.ndarray = label == indices[0]
    for index in indices[1:]:
        mask |= label == index
    return mask


def _list_members(members: Sequence[Sequence[int]] | None, classes: int) -> list[list[int]]:
    """The indices of each class; its own alone if none are given."""
    if members is None:
        return [[index] for index in range(1, 1 + classes)]
    known = set(range(1, 1 + classes))
    if len(members) != classes or not all(x and known >= set(x) for x in members):
        raise ValueError(
            f"members must be, for each of {classes} classes, indices from 1 to {classes}, got "
            f"{members!r}: pass medseg.transforms.list_members(classes), or None"
        )
    return [list(indices) for indices in members]


def _average_precisions(matches: ObjectMatches, thresholds: Sequence[float]) -> list[float]:
    return [matches.average_precision(t) for t in thresholds]


def _parse_key_or_bool(objects: bool | str) -> bool | str:
    """The key as it is, or a bool; a text that looks like a bool is refused."""
    if isinstance(objects, str) and objects.lower() not in ("true", "false", ""):
        return objects
    return require_bool(objects, "objects")


def _find_grid(pred: torch.Tensor, label: torch.Tensor, *, case: str) -> Geometry:
    """The grid of the label and the prediction; a 2D image counts as one slice."""
    if not isinstance(pred, MetaTensor) or not isinstance(label, MetaTensor):
        raise ValueError(f"case {case} has no affine to measure millimetres by: use unit 'pixel'")
    grids = [
        Geometry((*x.shape[1:], 1)[:3], np.asarray(x.affine, dtype=float)) for x in (pred, label)
    ]
    if difference := grids[0].describe_difference(grids[1]):
        raise ValueError(
            f"prediction and label of case {case} lie on different grids ({difference}): "
            "invert the spatial transforms of the preprocessing"
        )
    return grids[1]
