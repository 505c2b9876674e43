"""Radiomics: features of shape, values and texture by the definitions of the IBSI.

They are computed by MIRP, which the extra `radiomics` installs.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import find_box
from medseg.geometry import Geometry
from medseg.labels import Label, LabelTable

MARGIN_VOXELS = 3
"""What of the image around a structure goes along: features of a peak look a little beyond it."""

BIN_WIDTH_HU = 25.0
BINS = 32
"""How values are put into classes for the texture: of CT in steps of so many HU from -1000 on, of
all others in so many steps from the smallest to the largest, as IBSI recommends for units without a
meaning."""

FAMILIES = ("morph", "loc", "ivh", "stat", "ih", "cm", "rlm", "szm", "dzm", "ngt", "ngl")
"""What the names of features begin with, by family, in the order of the IBSI reference manual."""


@dataclass(frozen=True)
class Radiomics:
    """The features of one structure.

    Attributes:
        name: of the label.
        value: of the label in the mask.
        features: by the names of MIRP, which docs/how-to/send-results-to-a-viewer.md explains;
            empty for a structure without voxels. What cannot be computed is left out.
    """

    name: str
    value: int
    features: dict[str, float]


def check_radiomics() -> None:
    """Refuse where MIRP is not installed.

    Raises:
        ImportError: it names the extra.
    """
    if importlib.util.find_spec("mirp") is None:
        raise ImportError(
            "radiomics features need the package mirp: pip install 'medseg[radiomics]', or leave "
            "radiomics out"
        )


def measure_radiomics(
    mask: NDArray,
    geometry: Geometry,
    image: NDArray,
    labels: LabelTable,
    *,
    is_ct: bool = False,
    bin_width: float | None = None,
) -> list[Radiomics]:
    """Compute the features of each structure in 3D, on the voxels as they are.

    Nothing is resampled: compare only images of like voxels.

    Args:
        mask: (I, J, K), label values.
        geometry: its grid, with axes at right angles.
        image: on the same grid, in HU for CT.
        labels: what the values mean; a label that encloses others is measured with them.
        is_ct: whether the image is a CT.
        bin_width: of the classes of the texture, in the unit of the image; None for
            `BIN_WIDTH_HU` in CT and `BINS` steps elsewhere, 0 for the values as they are.

    Returns:
        One for each label but the background.

    Raises:
        ImportError: see `check_radiomics`.
        ValueError: the arrays and the grid differ in shape, or the grid is sheared.

    Source: Zwanenburg et al., Radiology 295 (2020) 328, and the reference manual of the Image
    Biomarker Standardisation Initiative, arXiv:1612.07003.
    """
    check_radiomics()
    if not mask.shape == image.shape == geometry.shape:
        raise ValueError(
            f"mask, image and grid have the shapes {mask.shape}, {image.shape} and "
            f"{geometry.shape}: give those of one image"
        )
    if not geometry.is_orthogonal:
        raise ValueError("radiomics need a grid with axes at right angles: resample the image")
    how = _choose_classes(is_ct, bin_width)
    return [
        Radiomics(label.whole_name, label.index, _measure(mask, geometry, image, label, is_ct, how))
        for label in labels.foreground
    ]


def _choose_classes(is_ct: bool, bin_width: float | None) -> dict[str, Any]:
    if bin_width == 0:
        return {"base_discretisation_method": "none"}
    if bin_width is None and not is_ct:
        return {
            "base_discretisation_method": "fixed_bin_number",
            "base_discretisation_n_bins": BINS,
        }
    width = BIN_WIDTH_HU if bin_width is None else bin_width
    return {"base_discretisation_method": "fixed_bin_size", "base_discretisation_bin_width": width}


def _measure(
    mask: NDArray,
    geometry: Geometry,
    image: NDArray,
    label: Label,
    is_ct: bool,
    how: dict[str, Any],
) -> dict[str, float]:
    """The features of one structure, from a box around it."""
    within = np.isin(mask, label.members or (label.index,))
    if not within.any():
        return {}
    box = tuple(
        slice(max(one.start - MARGIN_VOXELS, 0), one.stop + MARGIN_VOXELS)
        for one in find_box(within)
    )
    affine = np.diag([*geometry.spacing_mm, 1.0])
    with tempfile.TemporaryDirectory() as folder, _hush():
        from mirp import extract_features

        image_file, mask_file = (str(Path(folder) / f"{name}.nii.gz") for name in ("image", "mask"))
        nib.save(nib.Nifti1Image(image[box].astype(np.float32), affine), image_file)
        nib.save(nib.Nifti1Image(within[box].astype(np.uint8), affine), mask_file)
        (table,) = extract_features(
            image=image_file,
            mask=mask_file,
            image_modality="ct" if is_ct else "mr",
            base_feature_families="all",
            write_features=False,
            export_features=True,
            **how,
        )
    return dict(_pick(table.iloc[0].to_dict()))


def _pick(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The features of a row, without what it says of files, and without what is not finite."""
    for name, value in row.items():
        if name.split("_")[0] in FAMILIES and math.isfinite(number := float(value)):
            yield name, number


@contextmanager
def _hush() -> Iterator[None]:
    """Keeps MIRP from printing, and from logging its progress to the root logger itself."""
    root, quiet = logging.getLogger(), logging.NullHandler()

    def drop(record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO

    root.addFilter(drop)
    root.addHandler(quiet)  # with a handler there, MIRP adds none of its own
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that steps begin at -1000 HU, which is meant
            yield
    finally:
        root.removeHandler(quiet)
        root.removeFilter(drop)
