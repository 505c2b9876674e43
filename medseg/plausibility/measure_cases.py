"""Measure cases: the ranges of training cases, as they are kept with the weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from monai.utils import convert_to_numpy

from medseg.base.channels.missing import list_missing
from medseg.geometry import Geometry
from medseg.plausibility.appearance import has_appearance, measure_appearance
from medseg.plausibility.measure import measure_class, measure_image
from medseg.plausibility.trained_on import Ranges, TrainedOn

MOST_CASES = 200
"""Cases that are measured, spread evenly over those of the training."""

Case = Mapping[str, Any]


def measure_cases(
    cases: Sequence[Case],
    load: Callable[[Case], Mapping[str, Any]],
    *,
    modality: str,
    classes: Mapping[str, Sequence[int]],
    whole_images: bool = True,
    about: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> TrainedOn:
    """Measure cases of a training; see `choose_cases` for many.

    Args:
        cases: as the training reads them.
        load: gives the image and the label map of a case, (C, *spatial) and (1, *spatial), before
            values are scaled, the label with the values of the dataset.
        modality: see `measure_image`.
        classes: name -> label values that it gathers.
        whole_images: False for crops, of which neither the size nor the place and volume of a
            class say anything about a whole image.
        about: kept as it is.
        settings: likewise; what the network is trained for.

    Raises:
        ValueError: there are no cases.
    """
    if not cases:
        raise ValueError("no training case was found to measure: check dataset_dir and fold")
    images, found = [], {name: [] for name in classes}  # type: ignore[var-annotated]
    seen: list[dict[str, float]] = []
    dimensions = 3
    for case in cases:
        item = load(case)
        image, label = keep_first_channel(item["image"]), convert_to_numpy(item["label"])[0]
        dimensions = label.ndim
        if image is not None:
            images.append(measure_case_image(image, modality=modality, whole_image=whole_images))
            if has_appearance(image.ndim, modality):
                seen.append(measure_appearance(convert_to_numpy(image)))
        voxel_ml = None
        if dimensions == 3:
            voxel_ml = float(abs(np.linalg.det(np.asarray(item["label"].affine)[:3, :3]))) / 1000
        for name, values in classes.items():
            found[name].append(measure_class(np.isin(label, values), voxel_ml=voxel_ml))
    ranges = {name: _compute_ranges(each) for name, each in found.items()} if whole_images else {}
    return TrainedOn(
        dict(about or {}),
        len(cases),
        modality,
        dimensions,
        image=_compute_ranges(images),
        classes=ranges,
        appearance=_sort(seen),
        settings=dict(settings or {}),
    )


def keep_first_channel(image: Any) -> Any:
    """The first channel of a volume, (1, I, J, K), by which it is judged; None where it is missing.

    A picture, (C, I, J), keeps its colours.
    """
    if image.ndim != 4:
        return image
    is_missing = list_missing(getattr(image, "meta", {})) and not image[:1].any()
    return None if is_missing else image[:1]


def choose_cases(cases: Sequence[Case]) -> Sequence[Case]:
    """Of many cases at most `MOST_CASES`, spread evenly."""
    return cases[:: -(-len(cases) // MOST_CASES) or 1]


def merge_trained_on(parts: Sequence[TrainedOn]) -> TrainedOn:
    """The ranges of all cases from those of some each; what is no range is that of the first."""
    names = dict.fromkeys(name for part in parts for name in part.classes)
    return replace(
        parts[0],
        cases=sum(part.cases for part in parts),
        image=_widen([part.image for part in parts]),
        classes={n: _widen([part.classes.get(n, {}) for part in parts]) for n in names},
        appearance=_sort([case for part in parts for case in part.appearance]),
    )


def _widen(parts: Sequence[Ranges]) -> Ranges:
    names = dict.fromkeys(name for part in parts for name in part)
    spans = {name: [part[name] for part in parts if name in part] for name in names}
    return {n: [min(low for low, _ in s), max(high for _, high in s)] for n, s in spans.items()}


def measure_case_image(image: Any, *, modality: str, whole_image: bool = True) -> dict[str, float]:
    """`measure_image` of a tensor, (C, *spatial), whose meta data know the grid of its file."""
    meta = getattr(image, "meta", {})
    grid = None
    if whole_image and image.ndim == 4 and "original_affine" in meta and "spatial_shape" in meta:
        i, j, k = (int(n) for n in meta["spatial_shape"])
        grid = Geometry((i, j, k), np.asarray(meta["original_affine"], dtype=float))
    found = measure_image(convert_to_numpy(image), modality=modality, grid=grid)
    return found if whole_image else {k: v for k, v in found.items() if k != "longest_px"}


def _compute_ranges(measured: Sequence[Mapping[str, float]]) -> Ranges:
    """Lowest and highest value of each quantity, rounded to 4 digits."""
    names = dict.fromkeys(name for each in measured for name in each)
    values = {name: [each[name] for each in measured if name in each] for name in names}
    return {name: [_round(min(v)), _round(max(v))] for name, v in values.items()}


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _sort(seen: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Cases without those that are blank, rounded, in the order of their values."""
    cases = [{name: _round(value) for name, value in case.items()} for case in seen if case]
    return sorted(cases, key=lambda case: list(case.values()))
