"""Picture file: the pixels of one PNG, JPEG, TIFF, ... file, checked or refused.

Apart from `medseg.ingest.pictures.load`, so that a dataset is checked by the same rules without
torch.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from medseg.ingest.checks import has_only, to_labels
from medseg.ingest.pictures.orientation import undo_orientation
from medseg.ingest.pictures.picture_checks import (
    BYTE_BITS,
    GREY_MASK,
    GREY_MODES,
    LABEL_MODES,
    MOST_OF_IMAGE,
    MOST_OF_LABELS,
    RGB_MODES,
    check_picture,
    count_stored_bits,
    open_image,
)
from medseg.ingest.pictures.sample_kinds import describe_samples
from medseg.ingest.reasons import IngestError, Reason

_OPAQUE = 255
_STRIP_PIXELS = 2**20


class Picture(NamedTuple):
    """The pixels of a picture as stored, and its EXIF orientation, which is 1 where it has none."""

    array: np.ndarray
    orientation: int


def read_picture(path: Path, *, colour: bool = False, copies: int = 0) -> Picture:
    """The pixels of a whole picture as stored, whatever its EXIF orientation.

    Args:
        path: the file.
        colour: read red, green and blue of 8 bits, see `PictureReader`.
        copies: how many copies in single precision are made of it afterwards, for which there must
            be room, too.

    Returns:
        (I, J), rows and columns, or (3, I, J) in colour, and the orientation.

    Raises:
        IngestError: "not-found", "unreadable", "truncated", "multi-frame", "colour",
            "pixel-format", "too-large" or "no-memory".
    """
    modes = RGB_MODES if colour else GREY_MODES
    check_picture(path, modes, colour=colour, most=MOST_OF_IMAGE, copies=copies)
    with open_image(path) as (image, _):
        stored, orientation = undo_orientation(image)
        array = _to_colours(stored, path) if colour else np.asarray(stored)
    return Picture(array.astype(array.dtype.newbyteorder("="), copy=False), orientation)


def read_label_picture(path: Path, allowed: Collection[int]) -> Picture:
    """A label map that was stored as a picture, (I, J), in the smallest type of declared values.

    Grey of 8 bits and more counts as stored, and colour whose three channels are equal as grey. A
    palette is read by its indices, or by its grey levels where it has no colours; one, two and four
    bits are read as they are, or as stretched to 255: whichever of the two is declared.

    Args:
        path: the file.
        allowed: the declared values, background included.

    Raises:
        IngestError: "undeclared-labels"; "pixel-format" where both readings are declared and
            differ, and for transparent pixels; "colour"; and those of `read_picture`.
    """
    check_picture(path, LABEL_MODES, colour=False, most=MOST_OF_LABELS)
    with open_image(path) as (image, _):
        bits, is_jpeg = count_stored_bits(image), image.format == "JPEG"
        stored, orientation = undo_orientation(image)
        readings = _list_readings(stored, path, bits=bits)
    fitting = [reading for reading in readings if has_only(reading, allowed)]
    if len(fitting) > 1 and not np.array_equal(fitting[0], fitting[1]):
        finding = f"{path} has declared values by the index of its palette and by its grey levels"
        raise IngestError(Reason.PIXEL_FORMAT, f"{finding}, which differ")
    try:
        labels = to_labels((fitting or readings)[0], allowed, name=str(path))
    except IngestError as error:
        remedy = "JPEG changes values: write the mask as PNG from its source" if is_jpeg else None
        raise IngestError(error.code, error.finding, remedy=remedy) from error
    return Picture(labels, orientation)


def _list_readings(image: Image.Image, path: Path, *, bits: int) -> list[np.ndarray]:
    """What the pixels may mean: one array, or two for a grey palette and for up to four bits."""
    step = _OPAQUE // (2**bits - 1) if image.mode == "L" and bits < BYTE_BITS else 1
    rows = max(1, _STRIP_PIXELS // image.width)
    tops = range(0, image.height, rows)
    strips = (image.crop((0, t, image.width, min(t + rows, image.height))) for t in tops)
    readings = [_list_readings_of_strip(strip, path) for strip in strips]
    if step > 1:  # Pillow stretches few bits of grey
        readings = [[levels // step, levels] for (levels,) in readings]
    return [np.concatenate(parts) for parts in zip(*readings, strict=False)]


def _list_readings_of_strip(image: Image.Image, path: Path) -> list[np.ndarray]:
    """What some rows may mean; those of a palette that is not grey everywhere have one meaning."""
    if image.mode == "1":
        bits = np.asarray(image).astype(np.uint8)
        return [bits, bits * 255]
    if image.mode in (*GREY_MODES, "F"):
        array = np.asarray(image)
        return [array.astype(array.dtype.newbyteorder("="), copy=False)]
    rgba = np.asarray(image.convert("RGBA"))
    is_grey = bool((rgba[..., :1] == rgba[..., :3]).all())
    is_opaque = bool((rgba[..., 3] == _OPAQUE).all())
    if image.mode == "P":
        return [np.asarray(image), *([rgba[..., 0]] if is_grey and is_opaque else [])]
    if not is_grey:
        finding = f"{path} has {describe_samples(image.mode)}, which stand for no label value"
        raise IngestError(Reason.COLOUR, finding, remedy=GREY_MASK)
    return [_to_colours(image, path)[0]]


def _to_colours(image: Image.Image, path: Path) -> np.ndarray:
    """Red, green and blue first, (3, I, J); nothing may be transparent."""
    array = np.moveaxis(np.asarray(image.convert("RGBA")), -1, 0)
    if (array[3] != _OPAQUE).any():
        seen = int((array[3] != _OPAQUE).sum())
        raise IngestError(Reason.PIXEL_FORMAT, f"{seen} pixels of {path} are transparent")
    return array[:3]
