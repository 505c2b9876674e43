"""Overlay: an image with the classes of a label map as outlines over a light tint."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from medseg.labels import BRIGHT_COLOURS, COLOURS, Colours, choose_colour
from medseg.transforms.separate_objects import find_touching

OUTLINE_PIXELS = 2
_TINT = 0.15


def draw_overlay(
    shades: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    *,
    colours: Colours = COLOURS,
    objects: np.ndarray | None = None,
) -> Image.Image:
    """An image at another size with its classes on top.

    The image is interpolated, the classes are not. Where voxels are smaller than pixels, a pixel
    has the class that fills most of it, and background only where no class is, so that no object
    is lost. Where a class reaches the edge of the image, its outline runs along that edge. Each
    object has an outline of its own, also where the gap to the next one is less than a pixel.

    Args:
        shades: grey (rows, columns) or colour (rows, columns, 3), 0 (black) to 1 (white); what lies
            outside is clipped.
        classes: (rows, columns), class indices; 0 is background.
        size: (width, height) in pixels.
        colours: of the classes, in order.
        objects: (rows, columns), numbers of objects, 0 elsewhere; None to outline classes alone.
    """
    picture = np.asarray(_resize_shades(shades, size))
    shown = _resize(classes, size)
    border = np.zeros(shown.shape, bool) if objects is None else _find_borders(objects, size)
    tinted = _tint(picture.astype(float), shown, border, colours)
    return Image.fromarray(tinted.astype(np.uint8))


def choose_colours(*, on_colour: bool) -> Colours:
    """The colours of classes on a grey image, or on a picture in colour."""
    return BRIGHT_COLOURS if on_colour else COLOURS


def draw_outlines(
    shades: np.ndarray,
    masks: Sequence[tuple[np.ndarray, tuple[int, int, int], int]],
    size: tuple[int, int],
) -> Image.Image:
    """An image at another size with the outlines of masks, which may overlap, on top.

    Args:
        shades: as for `draw_overlay`.
        masks: each a mask (rows, columns), its colour and the width of its outline in pixels, in
            the order in which they are drawn.
        size: (width, height) in pixels.
    """
    picture = np.array(_resize_shades(shades, size))
    for mask, colour, width in masks:
        inside = _resize(mask.astype(np.uint8), size) > 0
        inner = ndimage.binary_erosion(inside, iterations=width)
        picture[inside & ~inner] = colour
    return Image.fromarray(picture)


def _resize_shades(shades: np.ndarray, size: tuple[int, int]) -> Image.Image:
    shown = Image.fromarray((np.clip(shades, 0, 1) * 255).astype(np.uint8))
    return shown.resize(size, Image.Resampling.BILINEAR).convert("RGB")


def _resize(classes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Class indices at another size, (height, width), uint8."""
    resized = np.zeros(size[::-1], np.uint8)
    most = np.zeros(size[::-1], np.float32)
    for value in np.unique(classes[classes > 0]):
        mask = Image.fromarray((classes == value).astype(np.float32))
        share = np.asarray(mask.resize(size, Image.Resampling.BOX))
        resized[share > most] = value
        most = np.maximum(most, share)
    return resized


def _find_borders(objects: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels at another size, (height, width), where one object touches another."""
    sides = list(zip(objects.shape, size[::-1], strict=True))
    voxels_per_pixel = max(voxels / pixels for voxels, pixels in sides)
    if voxels_per_pixel > 1:  # then a pixel has an object if any of its voxels has
        near = ndimage.maximum_filter(objects, size=2 * math.ceil(voxels_per_pixel / 2) + 1)
        objects = np.where(objects, objects, near)
    rows, columns = (
        ((np.arange(pixels) + 0.5) * voxels / pixels).astype(int) for voxels, pixels in sides
    )
    return find_touching(objects[np.ix_(rows, columns)])


def _tint(rgb: np.ndarray, classes: np.ndarray, border: np.ndarray, colours: Colours) -> np.ndarray:
    for value in np.unique(classes[classes > 0]):
        mask = classes == value
        inner = ndimage.binary_erosion(mask, iterations=OUTLINE_PIXELS)
        inner &= ndimage.binary_erosion(mask & ~border, iterations=OUTLINE_PIXELS - 1)
        colour = np.array(choose_colour(int(value), colours), dtype=float)
        rgb[mask] = (1 - _TINT) * rgb[mask] + _TINT * colour
        rgb[mask & ~inner] = colour
    return rgb
