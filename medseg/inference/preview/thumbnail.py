"""Thumbnail: a small picture of a case, for the page that lists many."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.geometry import Geometry
from medseg.inference.preview.overlay import draw_overlay
from medseg.inference.preview.planes import Upright, choose_fullest, choose_stack, find_slice_axis
from medseg.labels import COLOURS, choose_colour

PIXELS = 112
"""The longer side, in pixels."""

_QUALITY = 72  # of JPEG: about 3 kB


def draw_picture_thumbnail(
    image: NDArray, mask: NDArray[np.uint8], *, pixels: int = PIXELS
) -> bytes:
    """A picture with its mask, as JPEG.

    Args:
        image: (rows, columns), or (3, rows, columns) in colour, any numbers.
        mask: (rows, columns), class indices.
        pixels: of the longer side.
    """
    shades = np.moveaxis(image, 0, -1) if image.ndim == 3 else image
    low, high = float(shades.min()), float(shades.max())
    shades = (shades.astype(np.float32) - low) / max(high - low, 1e-6)
    scale = pixels / max(mask.shape)
    height, width = (max(1, round(side * scale)) for side in mask.shape)
    return _encode(draw_overlay(shades, mask, (width, height)))


def draw_thumbnail(
    image: NDArray,
    mask: NDArray[np.uint8],
    geometry: Geometry,
    *,
    limits: tuple[float, float],
    pixels: int = PIXELS,
    shows_most_labels: bool = False,
) -> bytes:
    """The slice in the middle of what is segmented, in radiological convention, as JPEG.

    Args:
        image: (I, J, K), any numbers.
        mask: (I, J, K), class indices; where all are 0, the middle slice is drawn.
        geometry: the grid of both.
        limits: the values that are drawn black and white.
        pixels: of the longer side.
        shows_most_labels: draw the slice that holds the most labels instead.

    Example:
        >>> image, mask = np.zeros((8, 8, 8)), np.zeros((8, 8, 8), np.uint8)
        >>> draw_thumbnail(image, mask, Geometry((8, 8, 8), np.eye(4)), limits=(0, 1))[6:10]
        b'JFIF'
    """
    volume = Upright.turn(image, mask, geometry)
    axis = find_slice_axis(volume.grid)
    if shows_most_labels:
        plane = choose_fullest(volume, axis)
    else:
        (plane,) = choose_stack(volume, axis, most=1)
    black, white = limits
    shades = (plane.image.astype(np.float32) - black) / max(white - black, 1e-6)
    scale = pixels / max(plane.size_mm)
    width, height = (max(1, round(side * scale)) for side in plane.size_mm)
    return _encode(draw_overlay(shades, plane.label, (width, height)))


def get_colour(value: int) -> tuple[int, int, int]:
    """The colour in which a class index is drawn, red, green and blue of 0 to 255."""
    return choose_colour(value, COLOURS)


def _encode(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=_QUALITY)
    return file.getvalue()
