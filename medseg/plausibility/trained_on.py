"""Trained on: the ranges of what a network was trained on, in a small file beside its weights."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from monai.utils import convert_to_numpy

from medseg.files import whole
from medseg.geometry import Geometry
from medseg.plausibility.measure import measure_class, measure_image

logger = logging.getLogger(__name__)

MOST_CASES = 200
"""Cases that are measured, spread evenly over those of the training."""

Ranges = dict[str, list[float]]


@dataclass
class TrainedOn:
    """Lowest and highest value of each quantity over training cases, and where they come from.

    Attributes:
        about: which data: name, fold, seed, ...; it holds no name of a case.
        cases: how many were measured.
        modality: "CT", "MR" or "picture".
        dimensions: 2 for pictures, 3 for volumes.
        image: name of a quantity -> its range, see `quantities.OF_IMAGE`.
        classes: class -> name of a quantity -> its range, see `quantities.OF_CLASS`.
    """

    about: dict[str, Any]
    cases: int
    modality: str
    dimensions: int
    image: Ranges = field(default_factory=dict)
    classes: dict[str, Ranges] = field(default_factory=dict)


def path_beside(weights: str | os.PathLike) -> Path:
    """Where the ranges of weights are kept: "model.pt" has "model.trained_on.json"."""
    return Path(weights).with_suffix(".trained_on.json")


def read_trained_on(weights: str | os.PathLike) -> TrainedOn | None:
    """The ranges beside weights; None where there are none.

    Raises:
        ValueError: the file is damaged.
    """
    path = path_beside(weights)
    if not path.is_file():
        return None
    try:
        return TrainedOn(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} does not tell what the weights were trained on ({error}): restore it, or "
            "remove it to segment without these checks"
        ) from error


def write_trained_on(found: TrainedOn, weights: str | os.PathLike) -> Path:
    """Write ranges beside weights, whole or not at all."""
    path = path_beside(weights)
    with whole(path) as partial:
        partial.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    return path


def measure_cases(
    cases: Sequence[Mapping[str, Any]],
    load: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    *,
    modality: str,
    classes: Mapping[str, Sequence[int]],
    whole_images: bool = True,
    about: Mapping[str, Any] | None = None,
) -> TrainedOn:
    """Measure the cases of a training, of which `MOST_CASES` are taken.

    Args:
        cases: as the training reads them.
        load: gives the image and the label map of a case, (C, *spatial) and (1, *spatial), before
            values are scaled, the label with the values of the dataset.
        modality: see `measure_image`.
        classes: name -> label values that it gathers.
        whole_images: False for crops, of which neither the size nor the place and volume of a
            class say anything about a whole image.
        about: kept as it is.

    Raises:
        ValueError: there are no cases.
    """
    if not cases:
        raise ValueError("there are no training cases to be measured: check dataset_dir and fold")
    step = -(-len(cases) // MOST_CASES)
    images, found = [], {name: [] for name in classes}  # type: ignore[var-annotated]
    dimensions = 3
    for case in cases[::step]:
        item = load(case)
        image, label = item["image"], convert_to_numpy(item["label"])[0]
        dimensions = image.ndim - 1
        images.append(measure_case_image(image, modality=modality, whole_image=whole_images))
        voxel_ml = None
        if dimensions == 3:
            voxel_ml = float(abs(np.linalg.det(np.asarray(item["label"].affine)[:3, :3]))) / 1000
        for name, values in classes.items():
            found[name].append(measure_class(np.isin(label, values), voxel_ml=voxel_ml))
    ranges = {name: _ranges(each) for name, each in found.items()} if whole_images else {}
    return TrainedOn(dict(about or {}), len(images), modality, dimensions, _ranges(images), ranges)


def measure_case_image(image: Any, *, modality: str, whole_image: bool = True) -> dict[str, float]:
    """`measure_image` of a tensor, (C, *spatial), whose meta data know the grid of its file."""
    meta = getattr(image, "meta", {})
    grid = None
    if whole_image and image.ndim == 4 and "original_affine" in meta and "spatial_shape" in meta:
        i, j, k = (int(n) for n in meta["spatial_shape"])
        grid = Geometry((i, j, k), np.asarray(meta["original_affine"], dtype=float))
    found = measure_image(convert_to_numpy(image), modality=modality, grid=grid)
    return found if whole_image else {k: v for k, v in found.items() if k != "longest_px"}


def _ranges(measured: Sequence[Mapping[str, float]]) -> Ranges:
    """Lowest and highest value of each quantity, rounded to 4 digits."""
    names = dict.fromkeys(name for each in measured for name in each)
    values = {name: [each[name] for each in measured if name in each] for name in names}
    return {name: [_rounded(min(v)), _rounded(max(v))] for name, v in values.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
