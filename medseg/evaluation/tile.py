"""Tile: a case of a gallery, with its scores and the outlines of truth and prediction."""

from collections.abc import Mapping
from math import isinf
from typing import Any

from medseg.base.text import escape_unprintable
from medseg.evaluation.view import View
from medseg.inference.preview.caption import format_volume
from medseg.inference.preview.overlay import draw_outlines
from medseg.inference.preview.page import (
    GREY,
    WHITE,
    Block,
    Colour,
    draw_bar,
    fill,
    indent,
    put_beside,
    show,
    stack,
    write,
    write_paragraph,
)
from medseg.metrics.sizes import read_sizes

TRUE_COLOUR, PRED_COLOUR = (0, 225, 235), (255, 215, 40)
"""Colours of the outlines; they differ in brightness too, for the colour-blind."""

TILE = 290
"""Pixels that the picture of a case has to fit into."""

TILE_WIDTH = 320
"""Pixels of a whole tile."""

_WIDTHS = {TRUE_COLOUR: 4, PRED_COLOUR: 2}  # so that both are seen where they lie together
_MARK = 15  # for the letter of a side


def draw_tile(view: View, row: Mapping[str, Any]) -> Block:
    """A case with its name, its scores and its picture.

    Args:
        view: with 1 where truth and prediction are the class.
        row: of the scores, as `CaseMetrics` keeps it.
    """
    width, height = view.size
    scale = min(TILE / width, TILE / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    masks = [
        (mask > 0, colour, _WIDTHS[colour])
        for mask, colour in ((view.true, TRUE_COLOUR), (view.pred, PRED_COLOUR))
    ]
    picture = show(draw_outlines(view.shades, masks, size))
    left, right = (write(letter, colour=GREY) for letter in view.sides)
    gap = max(_MARK - left.width, 0)
    framed = put_beside([left, picture, right], gap=gap, centred=True)
    lines = [
        write_paragraph(escape_unprintable(row["case"]), TILE_WIDTH),
        *(write_paragraph(line, TILE_WIDTH, colour=GREY) for line in describe_case(row)),
    ]
    bar = indent(draw_bar(scale, max(picture.width / 3, scale), view.unit), _MARK)
    place = [write_paragraph(view.place, TILE_WIDTH, colour=GREY)] if view.place else []
    body = stack([*lines, *place, framed, bar], gap=3)
    return Block(max(body.width, TILE_WIDTH), body.height, body.parts)


def describe_case(row: Mapping[str, Any]) -> list[str]:
    """The scores and the sizes of a case, a line each.

    Example:
        >>> describe_case({"case": "a", "dice": 0.5, "hd95_mm": 3.0, "true_ml": 2.0,
        ...                "predicted_ml": 12.5})
        ['Dice 0.500, HD95 3.0 mm', 'truth 2.00 mL, prediction 12.5 mL']
    """
    (name,) = (key for key in row if key.startswith("hd95_"))
    distance, unit = row[name], "mm" if name.endswith("_mm") else "pixels"
    far = "infinite" if isinf(distance) else f"{distance:.1f} {unit}"
    true, predicted, size_unit = read_sizes(row)
    sizes = (format_size(true, size_unit), format_size(predicted, size_unit))
    return [
        f"Dice {row['dice']:.3f}, HD95 {far}",
        f"truth {sizes[0]}, prediction {sizes[1]}",
    ]


def format_size(size: float, unit: str) -> str:
    """A volume, an area or a number of pixels.

    Example:
        >>> format_size(0.0, "mL"), format_size(12.34, "mL"), format_size(120, "pixels")
        ('none', '12.3 mL', '120 pixels')
    """
    if not size:
        return "none"
    return format_volume(size) if unit == "mL" else f"{size:.0f} {unit}"


def draw_legend() -> Block:
    """What the two colours of outlines stand for."""
    names = (("truth", TRUE_COLOUR), ("prediction", PRED_COLOUR))
    return put_beside([_write_line(*name) for name in names], gap=24)


def _write_line(name: str, colour: Colour) -> Block:
    line = fill(28, _WIDTHS[colour], colour)
    return put_beside([line, write(name, colour=WHITE)], gap=8, centred=True)
