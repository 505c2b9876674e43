"""Picture: the preview of a picture with its classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from medseg.base.class_values import Classes
from medseg.inference.preview.caption import (
    About,
    describe_areas,
    write_heading,
    write_legend,
)
from medseg.inference.preview.overlay import choose_colours, draw_overlay
from medseg.inference.preview.page import draw_bar, draw_page, show, stack

PICTURE_HEIGHT, PICTURE_WIDTH = 768, 1024
"""Pixels that a picture has to fit into: a small one is enlarged, a large one reduced."""

LEAST_WIDTH = 480
"""Pixels of a page of a narrow picture, so that its texts keep few lines."""


def draw_picture(
    image: np.ndarray,
    label: np.ndarray,
    *,
    classes: Sequence[str] | Classes,
    objects: np.ndarray | None = None,
    window: str = "",
    about: About | None = None,
) -> Image.Image:
    """A picture with its classes as outlines over a light tint, each named below it.

    Below is the area of each class in pixels of `label` and in per cent of the picture, and the
    number of its objects, each of which has an outline of its own. An outline runs along the edge
    of the picture where its class reaches it. A picture does not say where a patient's sides are,
    so that it has no letters, and its scale bar is in pixels.

    Args:
        image: (1, I, J) grey or (3, I, J) red, green, blue; values 0 (black) to 1 (white).
        label: (I, J), class indices; 0 is background.
        classes: names of the classes 1, 2, ...; with the label values that each gathers, a region
            is counted with those within it.
        objects: (I, J), numbers of objects, 0 elsewhere; None where objects are of no interest.
        window: which values are drawn black and white, in words.
        about: what the preview states of the case.

    Raises:
        ValueError: the picture has another number of channels.
    """
    if len(image) not in (1, 3):
        raise ValueError(
            f"the picture has {len(image)} channels, and a preview needs 1 or 3: pass a grey or an "
            "RGB picture"
        )
    about = about or About()
    rows, columns = label.shape
    scale = min(PICTURE_WIDTH / columns, PICTURE_HEIGHT / rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    shades = np.broadcast_to(image, (3, *image.shape[1:]))
    colours = choose_colours(on_colour=len(image) == 3)
    drawn = draw_overlay(np.moveaxis(shades, 0, -1), label, size, colours=colours, objects=objects)
    picture = show(drawn)
    width = max(picture.width, LEAST_WIDTH)
    bar = draw_bar(scale, max(picture.width / 3, scale), "pixels")
    lines = [
        f"{columns} x {rows} pixels, shown at {100 * scale:.{0 if scale > 1 else 1}f} %",
        *filter(None, [window]),
    ]
    heading = write_heading(about, lines, width)
    entries = describe_areas(label, classes, objects=objects)
    legend = write_legend(entries, about, width, colours=colours)
    return draw_page(stack([heading, stack([picture, bar], gap=6), legend], gap=16))
