"""Case facts: what a plan needs to know of one case, read once, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel.orientations as nio
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medseg.base.masks import label_components
from medseg.datasets.own.label_files import RESAMPLE
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label, to_values
from medseg.geometry import Geometry
from medseg.inference.preview.thumbnail import draw_picture_thumbnail, draw_thumbnail
from medseg.ingest import IngestError, load
from medseg.ingest.channels import load_channels
from medseg.ingest.file_words import find_kind
from medseg.ingest.formats import is_volume_file
from medseg.ingest.pictures.file import read_picture
from medseg.ingest.reasons import Reason
from medseg.plausibility import explain_not_hounsfield, is_scan_in_hounsfield

MOST_FOREGROUND_VALUES = 10_000
"""Of the values within labels so many are kept of a case, evenly spread."""

THUMBNAIL = 24
"""Voxels along each axis of the small label maps by which a mirrored label is told from another."""

PICTURE_PIXELS = 224
"""The longer side of the picture of a case."""

MOST_PARTS = 1_000
"""Of the connected parts of a label in a case so many are kept."""

PERCENTILES = (0.5, 50.0, 99.5)

_DRAWN = (1, 99)  # percentiles of an image that are black and white in its thumbnail


@dataclass(frozen=True, eq=False)
class ChannelFacts:
    """What a plan needs to know of the values of one channel.

    Attributes:
        foreground: values of the image within labels, a sample; of a picture of all its colours.
        is_ct: whether it is a CT, by what is stated and its values, or by its values alone, which
            then are those of a CT with air around the body.
        name: of the channel; "" for a single one.
        is_constant: whether the whole image has one value.
        levels: different values in a sample of the whole image; 0 where they are not counted.
    """

    foreground: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    is_ct: bool = False
    name: str = ""
    is_constant: bool = False
    levels: int = 0


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What a plan needs to know of one case.

    Attributes:
        case: its name.
        shape: voxels to the right, to the front and to the head; rows and columns of a picture.
        spacing_mm: of the voxels along the same axes; 1 for pictures.
        colours: 3 of a picture in colour, else 1.
        counts: label value -> voxels, background included.
        channels: the values of each; None for one that the case lacks.
        places: label value -> share of the label in each cell of a coarse grid over the image.
        thumbnail: a small picture with the labels, as JPEG.
        labelled_slices: of a volume, how many slices hold a label, cut along each axis.
        sides_touched: of the image, at how many labels lie: 6 at most, of a picture 4.
        parts: label value -> voxels of each of its connected parts, at most `MOST_PARTS`, the
            largest first.
    """

    case: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    colours: int
    counts: Mapping[int, int]
    channels: tuple[ChannelFacts | None, ...] = (ChannelFacts(),)
    places: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    thumbnail: bytes = b""
    labelled_slices: tuple[int, ...] = ()
    sides_touched: int = 0
    parts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def measure_case(pair: Pair, *, resample_channels: bool = False) -> CaseFacts:
    """Read the image and the label of a case, and measure what a plan needs.

    Args:
        pair: with a label, and one image or the files of its channels.
        resample_channels: lay channels onto the grid of the first, see `stack_channels`.

    Raises:
        ValueError: what is wrong with the case, in one line that names it: a file that cannot be
            read rightly, a label or channel on another grid, pictures as channels, or a label with
            values that are no whole numbers of 0 to 255.
    """
    files = [file for file in pair.images if file is not None]
    if pair.label is None or not files:
        raise ValueError(f"case {pair.case} has {len(files)} images and no label")
    try:
        if is_volume_file(files[0]):
            return _measure_volume(pair, files, pair.label, resample=resample_channels)
        if len(pair.images) > 1:
            raise ValueError(
                f"case {pair.case} has {len(files)} pictures, and channels are read of volumes "
                "alone: join them to one picture in colour, or name one with --images"
            )
        return _measure_picture(pair.case, files[0], pair.label)
    except IngestError as error:
        raise ValueError(f"case {pair.case}: {error}") from error


def _measure_volume(
    pair: Pair, files: Sequence[Path], label_path: Path, *, resample: bool
) -> CaseFacts:
    case = pair.case
    images, grid = _load_images(pair, files, resample=resample)
    label, label_grid = load(label_path)
    label = to_values(label, case)
    if difference := grid.describe_difference(label_grid):
        raise ValueError(
            f"case {case}: image and label lie on different grids: {difference}: give the label "
            f"that was drawn on this image, or {RESAMPLE}"
        )
    channels = _measure_channels(pair, images, label > 0)
    turn = nio.io_orientation(grid.affine)
    label = nio.apply_orientation(label, turn)
    image = nio.apply_orientation(images[0], turn)
    turned = Geometry(label.shape, grid.affine @ nio.inv_ornt_aff(turn, grid.shape))
    black, white = np.percentile(image, _DRAWN)
    return CaseFacts(
        case=case,
        shape=label.shape,
        spacing_mm=turned.spacing_mm,
        colours=1,
        counts=_count(label),
        channels=channels,
        places=_find_places(label),
        thumbnail=draw_thumbnail(
            *(image, label, turned),
            limits=(float(black), float(white)),
            pixels=PICTURE_PIXELS,
            shows_most_labels=True,
        ),
        labelled_slices=_count_labelled_slices(label),
        sides_touched=_count_sides(label),
        parts=_measure_parts(label),
    )


def _load_images(pair: Pair, files: Sequence[Path], *, resample: bool) -> tuple[NDArray, Geometry]:
    """The channels that are there, (C, I, J, K); a file of several is none of a single channel."""
    if len(pair.channels) == 1:
        image, grid = load(files[0])
        return image[None], grid
    images, grid, _ = load_channels(files, resample=resample)
    return images, grid


def _measure_channels(
    pair: Pair, images: NDArray, mask: NDArray[np.bool_]
) -> tuple[ChannelFacts | None, ...]:
    """The facts of each channel, of which the images are those that are there."""
    there = iter(images)
    found: list[ChannelFacts | None] = []
    for place, name in enumerate(pair.channels):
        if len(pair.images) > 1 and pair.images[place] is None:
            found.append(None)
            continue
        image = next(there)
        is_ct = _is_ct(image, pair.kinds[place] if pair.kinds else "")
        is_constant = bool(image.min() == image.max())
        foreground = _sample(image[mask])
        found.append(ChannelFacts(foreground, is_ct, name, is_constant, _count_levels(image)))
    return tuple(found)


def _is_ct(image: NDArray, kind: str) -> bool:
    """Whether an image is a CT, by what is stated of it, if anything, and by its values."""
    stated = find_kind(kind)
    if stated == "CT":
        return explain_not_hounsfield(image[None]) is None
    return not stated and is_scan_in_hounsfield(image[None])


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
            f"case {case}: the image has {image.shape[1:]} pixels and its label {label.shape}: "
            "give the label that was drawn on this image"
        )
    return CaseFacts(
        case=case,
        shape=label.shape,
        spacing_mm=(1.0, 1.0),
        colours=len(image),
        counts=_count(label),
        channels=(
            ChannelFacts(
                _sample(image[:, label > 0]),
                is_constant=bool(image.min() == image.max()),
                levels=_count_levels(image),
            ),
        ),
        places=_find_places(label),
        thumbnail=draw_picture_thumbnail(
            image if len(image) == 3 else image[0], label, pixels=PICTURE_PIXELS
        ),
        sides_touched=_count_sides(label),
        parts=_measure_parts(label),
    )


def _count_labelled_slices(label: NDArray[np.uint8]) -> tuple[int, ...]:
    axes = range(label.ndim)
    return tuple(int(label.any(axis=tuple({*axes} - {axis})).sum()) for axis in axes)


def _count_sides(label: NDArray[np.uint8]) -> int:
    return sum(bool(label.take(end, axis).any()) for axis in range(label.ndim) for end in (0, -1))


def _count(label: NDArray[np.uint8]) -> dict[int, int]:
    counts = np.bincount(label.ravel(), minlength=256)
    return {value: int(count) for value, count in enumerate(counts) if count}


def _measure_parts(label: NDArray[np.uint8]) -> dict[int, tuple[int, ...]]:
    """The voxels of the connected parts of each label."""
    found = {}
    for value, box in enumerate(ndimage.find_objects(label), start=1):
        if box is not None:
            pieces, _ = label_components(label[box] == value)
            sizes = np.sort(np.bincount(pieces.ravel())[1:])[::-1][:MOST_PARTS]
            found[value] = tuple(int(n) for n in sizes)
    return found


def _sample(values: NDArray) -> NDArray[np.float32]:
    values = values.ravel()
    step = max(len(values) // MOST_FOREGROUND_VALUES, 1)
    return values[::step].astype(np.float32)


def _count_levels(image: NDArray) -> int:
    return len(np.unique(_sample(image)))


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
