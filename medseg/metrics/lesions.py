"""Lesions: which lesions of a case were found, which were missed, and which are false."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from medseg.base.masks import label_components

LESION_SCORES = ("lesion_sensitivity", "lesion_precision", "lesion_f1")


@dataclass(frozen=True)
class Lesion:
    """One connected piece of the true mask or of the predicted one.

    Args:
        mask: "label" for a true lesion, "pred" for a predicted one.
        voxels: its size.
        covered: share of its voxels that the other mask has too.
        hit: whether that share is above the overlap asked for: a true lesion was found, a predicted
            one is true.
    """

    mask: str
    voxels: int
    covered: float
    hit: bool

    @property
    def kind(self) -> str:
        """ "found" or "missed" of the true lesions, "true" or "false" of the predicted ones."""
        return {
            ("label", True): "found",
            ("label", False): "missed",
            ("pred", True): "true",
            ("pred", False): "false",
        }[self.mask, self.hit]


def find_lesions(
    pred: np.ndarray,
    label: np.ndarray,
    *,
    overlap: float = 0.0,
    min_size: int = 1,
    connectivity: int | None = None,
) -> list[Lesion]:
    """The lesions of the true mask and then of the predicted one, each by its first voxel.

    A lesion is hit if more than the share `overlap` of it is covered by the other mask, by one
    piece of it or by several: two true lesions that were predicted as one are both found.

    Args:
        pred: boolean array, the predicted mask.
        label: boolean array of the same shape, the true mask.
        overlap: from 0, where one voxel is enough, to below 1.
        min_size: pieces of fewer voxels are no lesions, in either mask; what they cover counts.
        connectivity: see `medseg.base.masks.label_components`.

    Raises:
        ValueError: the shapes differ, or `overlap` is outside its range.

    Example:
        >>> pred, label = np.array([1, 1, 0, 0, 0]) > 0, np.array([0, 1, 0, 1, 1]) > 0
        >>> [(lesion.kind, lesion.covered) for lesion in find_lesions(pred, label)]
        [('found', 1.0), ('missed', 0.0), ('true', 0.5)]
    """
    if pred.shape != label.shape:
        raise ValueError(
            f"prediction and label differ in shape, {pred.shape} and {label.shape}: "
            "bring both to the same grid"
        )
    if not 0 <= overlap < 1:
        raise ValueError(
            f"an overlap must be 0 or more and below 1, got {overlap}: pass 0 for any voxel"
        )
    lesions = []
    for name, mask, other in (("label", label, pred), ("pred", pred, label)):
        pieces, count = label_components(mask, min_size=min_size, connectivity=connectivity)
        sizes = np.bincount(pieces[mask], minlength=count + 1)[1:]
        covered = np.bincount(pieces[mask & other], minlength=count + 1)[1:] / sizes
        lesions += [
            Lesion(name, int(size), float(share), bool(share > overlap))
            for size, share in zip(sizes, covered, strict=True)
        ]
    return lesions


def score_lesions(lesions: Iterable[Lesion]) -> dict[str, float]:
    """Sensitivity, precision and their harmonic mean, F1.

    Sensitivity is the share of true lesions that were found, not a number if there are none;
    precision the share of predicted lesions that are true, not a number if none was predicted. F1
    is 0 if only one side has lesions, and not a number if neither has.

    Example:
        >>> lesions = [Lesion("label", 9, 0.7, True), Lesion("label", 1, 0.0, False)]
        >>> score_lesions([*lesions, Lesion("pred", 8, 0.9, True)])["lesion_sensitivity"]
        0.5
    """
    hits: dict[str, list[bool]] = {"label": [], "pred": []}
    for lesion in lesions:
        hits[lesion.mask].append(lesion.hit)
    sensitivity, precision = (sum(x) / len(x) if x else math.nan for x in hits.values())
    scores = (sensitivity, precision, _compute_f1(sensitivity, precision))
    return dict(zip(LESION_SCORES, scores, strict=True))


def compute_diameter(voxels: int, spacing: Sequence[float]) -> float:
    """Diameter of the disc (2D) or ball (3D) of the same size, in the unit of `spacing`.

    Example:
        >>> round(compute_diameter(1000, [1.0, 1.0, 1.0]), 2)  # a cube of 10 mm: 10 (6 / pi)^(1/3)
        12.41
    """
    dims = len(spacing)
    unit_ball = math.pi ** (dims / 2) / math.gamma(dims / 2 + 1)
    return float(2 * (voxels * math.prod(spacing) / unit_ball) ** (1 / dims))


def list_lesion_columns(unit: str) -> list[str]:
    """The columns of a table of lesions, in "mm" or "pixel"."""
    volume = ["volume_ml"] if unit == "mm" else []
    return ["lesion", "kind", "voxels", *volume, f"diameter_{unit}", "covered"]


def make_lesion_row(
    lesion: Lesion, spacing: Sequence[float], *, number: int, unit: str
) -> dict[str, int | float | str]:
    """The row of one lesion; an area, of a 2D image, has no volume and leaves the field empty.

    Args:
        lesion: the lesion.
        spacing: size of a voxel along each axis, in `unit`.
        number: of the lesion within its case and class.
        unit: "mm" or "pixel".

    Example:
        >>> lesion = Lesion("label", 500, 0.7, True)
        >>> make_lesion_row(lesion, [1.0, 1.0, 2.0], number=1, unit="mm")["volume_ml"]
        1.0
    """
    volume = lesion.voxels * math.prod(spacing) / 1000 if len(spacing) == 3 else ""
    values: dict[str, int | float | str] = {
        "lesion": number,
        "kind": lesion.kind,
        "voxels": lesion.voxels,
        "volume_ml": volume,
        f"diameter_{unit}": compute_diameter(lesion.voxels, spacing),
        "covered": lesion.covered,
    }
    return {name: values[name] for name in list_lesion_columns(unit)}


def _compute_f1(sensitivity: float, precision: float) -> float:
    if math.isnan(sensitivity) and math.isnan(precision):
        return math.nan
    if not sensitivity > 0 or not precision > 0:
        return 0.0
    return 2 * sensitivity * precision / (sensitivity + precision)
