"""Case facts: what a plan needs to know of one case, read once, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel.orientations as nio
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label, to_values
from medseg.geometry import Geometry
from medseg.inference.preview.thumbnail import draw_picture_thumbnail, draw_thumbnail
from medseg.ingest import IngestError, load
from medseg.ingest.formats import is_volume_file
from medseg.ingest.pictures.file import read_picture
from medseg.ingest.reasons import Reason
from medseg.plausibility import is_scan_in_hounsfield

MOST_FOREGROUND_VALUES = 10_000
"""Of the values within labels so many are kept of a case, evenly spread."""

THUMBNAIL = 24
"""Voxels along each axis of the small label maps by which a mirrored label is told from another."""

PICTURE_PIXELS = 224
"""The longer side of the picture of a case."""

PERCENTILES = (0.5, 50.0, 99.5)

_DRAWN = (1, 99)  # percentiles of an image that are black and white in its thumbnail


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What a plan needs to know of one case.

    Attributes:
        case: its name.
        shape: voxels to the right, to the front and to the head; rows and columns of a picture.
        spacing_mm: of the voxels along the same axes; 1 for pictures.
        channels: of the image: 1, or 3 of a picture in colour.
        counts: label value -> voxels, background included.
        is_ct: whether the values are those of a CT with air around the body.
        foreground: values of the image within labels, a sample.
        places: label value -> share of the label in each cell of a coarse grid over the image.
        thumbnail: a small picture with the labels, as JPEG.
    """

    case: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    channels: int
    counts: Mapping[int, int]
    is_ct: bool = False
    foreground: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    places: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    thumbnail: bytes = b""


def measure_case(pair: Pair) -> CaseFacts:
    """Read the image and the label of a case, and measure what a plan needs.

    Args:
        pair: with one image and a label.

    Raises:
        ValueError: what is wrong with the case, in one line that names it: a file that cannot be
            read rightly, a label on another grid, or with values that are no whole numbers of 0 to
            255.
    """
    if pair.label is None or len(pair.images) != 1:
        raise ValueError(f"case {pair.case} has {len(pair.images)} images and no label")
    try:
        if is_volume_file(pair.images[0]):
            return _measure_volume(pair.case, pair.images[0], pair.label)
        return _measure_picture(pair.case, pair.images[0], pair.label)
    except IngestError as error:
        raise ValueError(f"case {pair.case}: {error}") from error


def _measure_volume(case: str, image_path: Path, label_path: Path) -> CaseFacts:
    (image, grid), (label, label_grid) = load(image_path), load(label_path)
    if difference := grid.describe_difference(label_grid):
        raise ValueError(f"case {case}: image and label lie on different grids: {difference}")
    turn = nio.io_orientation(grid.affine)
    label = nio.apply_orientation(to_values(label, case), turn)
    image = nio.apply_orientation(image, turn)
    turned = Geometry(label.shape, grid.affine @ nio.inv_ornt_aff(turn, grid.shape))
    black, white = np.percentile(image, _DRAWN)
    return CaseFacts(
        case=case,
        shape=label.shape,
        spacing_mm=turned.spacing_mm,
        channels=1,
        counts=_count(label),
        is_ct=is_scan_in_hounsfield(image[None]),
        foreground=_sample(image[label > 0]),
        places=_find_places(label),
        thumbnail=draw_thumbnail(
            *(image, label, turned),
            limits=(float(black), float(white)),
            pixels=PICTURE_PIXELS,
            shows_most_labels=True,
        ),
    )


def _measure_picture(case: str, image_path: Path, label_path: Path) -> CaseFacts:
    try:
        image = read_picture(image_path).array[None]
    except IngestError as error:
        if error.code is not Reason.COLOUR:
            raise
        image = read_picture(image_path, colour=True).array
    label, _ = read_label(label_path, case)
    if image.shape[1:] != label.shape:
        raise ValueError(
            f"case {case}: the image has {image.shape[1:]} pixels and its label {label.shape}"
        )
    return CaseFacts(
        case=case,
        shape=label.shape,
        spacing_mm=(1.0, 1.0),
        channels=len(image),
        counts=_count(label),
        foreground=_sample(image[:, label > 0]),
        places=_find_places(label),
        thumbnail=draw_picture_thumbnail(
            image if len(image) == 3 else image[0], label, pixels=PICTURE_PIXELS
        ),
    )


def _count(label: NDArray[np.uint8]) -> dict[int, int]:
    counts = np.bincount(label.ravel(), minlength=256)
    return {value: int(count) for value, count in enumerate(counts) if count}


def _sample(values: NDArray) -> NDArray[np.float32]:
    values = values.ravel()
    step = max(len(values) // MOST_FOREGROUND_VALUES, 1)
    return values[::step].astype(np.float32)


def _find_places(label: NDArray[np.uint8]) -> dict[int, NDArray[np.float32]]:
    """Where each label lies, on a grid of `THUMBNAIL` cells along each axis of the image."""
    width = [max(n // THUMBNAIL, 1) for n in label.shape]
    cells = (np.linspace(0, n - 1, THUMBNAIL).round().astype(int) for n in label.shape)
    at = np.ix_(*cells)
    places = {}
    for value in np.unique(label[label > 0]):
        smooth = ndimage.uniform_filter((label == value).astype(np.float32), width)
        places[int(value)] = smooth[at]
    return places
