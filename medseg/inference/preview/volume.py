"""Volume: the preview of a volume, with planes at one magnification and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from medseg.base.class_values import Classes
from medseg.geometry import Geometry
from medseg.inference.preview.caption import (
    About,
    describe_volumes,
    write_heading,
    write_legend,
)
from medseg.inference.preview.field import choose_field, measure_field
from medseg.inference.preview.overlay import draw_overlay
from medseg.inference.preview.page import (
    GREY,
    Block,
    draw_bar,
    draw_page,
    indent,
    lay_out,
    put_beside,
    show,
    stack,
    write,
    write_paragraph,
)
from medseg.inference.preview.planes import (
    OBLIQUE_DEGREES,
    Plane,
    Upright,
    choose_main_planes,
    choose_stack,
    find_slice_axis,
    measure_tilt,
)

PLANE_WIDTH, PLANE_HEIGHT = 480, 640
"""Pixels that each of the three planes has to fit into, at one magnification for all."""

THIN_PLANE = 96
"""A plane of fewer pixels on a side shows nothing: three slices of the stack are drawn instead."""

LONG_STACK = 12
"""A volume of more slices also has a contact sheet."""

SHEET_SLICES, TILE = 16, 176
"""Slices of a contact sheet, and the pixels that each has to fit into."""

LEAST_WIDTH, LEAST_SHEET_WIDTH = 720, 1100
"""Pixels of a page of narrow planes, and of its contact sheet, so that both keep few lines."""

_GAP = 5
_LEAST_BAR = 20


def draw_preview(
    image: np.ndarray,
    label: np.ndarray,
    grid: Geometry,
    *,
    classes: Sequence[str] | Classes,
    limits: tuple[float, float],
    window: str = "",
    about: About | None = None,
) -> Image.Image:
    """The axial, coronal and sagittal plane through the segmentation, in radiological convention.

    The patient's right is on the left of the axial and coronal planes, the front on the left of the
    sagittal one; letters say so, from the affine. Each plane is the one with the largest segmented
    area; without any segmented voxel, the middle one. All are planes of voxels of the file, at one
    magnification in millimetres. A class is drawn as an outline over a light tint, and named below
    with its volume: its voxels of `label` times that of a voxel.

    Of a volume of a few slices two of them would be strips, narrower than `THIN_PLANE`: up to three
    slices of the stack are drawn instead, spread over the segmented ones (over all without any),
    from the left, the back or the feet on. A volume of more than `LONG_STACK` slices also has a
    contact sheet of up to `SHEET_SLICES` slices, magnified around the segmentation if it is small.

    Args:
        image: (I, J, K), any numbers, on the grid of the file.
        label: (I, J, K), class indices on the same grid; 0 is background.
        grid: of the file.
        classes: names of the classes 1, 2, ...; with the label values that each gathers, a region
            is counted with those within it.
        limits: the values that are drawn black and white.
        window: what they are, in words.
        about: what the preview states of the case.
    """
    about = about or About()
    volume = Upright.turn(image, label, grid)
    scale = _choose_common_scale([Plane(volume, axis, 0) for axis in range(3)])
    is_thin = _is_thin(volume, scale)
    planes = choose_main_planes(volume, is_thin=is_thin)
    scale = _choose_common_scale(planes)
    narrowest = min(plane.size_mm[0] for plane in planes) * scale
    bar = draw_bar(scale, max(narrowest / 3, _LEAST_BAR), "mm")
    main = put_beside([_draw_figure(plane, scale, limits, bar) for plane in planes], gap=20)
    width = max(main.width, LEAST_WIDTH)
    across = planes[0].axis if is_thin else find_slice_axis(volume.grid)
    sheet = _draw_sheet(volume, across, limits, max(main.width, LEAST_SHEET_WIDTH))
    entries = describe_volumes(label, grid.voxel_volume_ml, classes)
    heading = write_heading(about, [_describe_grid(grid), *filter(None, [window])], width)
    return draw_page(stack([heading, main, sheet, write_legend(entries, about, width)], gap=16))


def _choose_common_scale(planes: Sequence[Plane]) -> float:
    """The pixels of a millimetre with which all planes fit."""
    sizes = [plane.size_mm for plane in planes]
    return min(min(PLANE_WIDTH / width, PLANE_HEIGHT / height) for width, height in sizes)


def _is_thin(volume: Upright, scale: float) -> bool:
    """Whether only the plane across the thinnest side of a volume is more than a strip."""
    thinnest = int(np.argmin(np.multiply(volume.grid.shape, volume.grid.spacing_mm)))
    sizes = [min(Plane(volume, axis, 0).size_mm) * scale for axis in range(3)]
    return [axis for axis in range(3) if round(sizes[axis]) >= THIN_PLANE] == [thinnest]


def _draw_plane(
    plane: Plane, scale: float, limits: tuple[float, float], field: tuple[slice, slice]
) -> Block:
    """A part of a plane at so many pixels per millimetre, values between `limits` as grey."""
    black, white = limits
    values = plane.image[field].astype(np.float64)
    label = plane.label[field]
    column_mm, row_mm = (n / m for n, m in zip(plane.size_mm, plane.label.shape[::-1], strict=True))
    rows, columns = label.shape
    size = max(1, round(columns * column_mm * scale)), max(1, round(rows * row_mm * scale))
    return show(draw_overlay((values - black) / ((white - black) or 1.0), label, size))


def _draw_figure(plane: Plane, scale: float, limits: tuple[float, float], bar: Block) -> Block:
    """A whole plane with its name, its place, the letters of its four sides and a scale bar."""
    picture = _draw_plane(plane, scale, limits, np.s_[:, :])
    left, right, top, bottom = map(write, plane.sides)
    edge = left.width + _GAP
    number, count = plane.number
    tilt = f", tilted {plane.tilt_degrees:.0f}°" if plane.tilt_degrees >= OBLIQUE_DEGREES else ""
    return stack(
        [
            indent(write(f"{plane.name}, slice {number} of {count}"), edge),
            indent(write(f"{plane.position}{tilt}", colour=GREY), edge),
            indent(top, edge + max(picture.width - top.width, 0) // 2),
            put_beside([left, picture, right], gap=_GAP, centred=True),
            indent(bottom, edge + max(picture.width - bottom.width, 0) // 2),
            indent(bar, edge),
        ],
        gap=2,
    )


def _draw_sheet(volume: Upright, axis: int, limits: tuple[float, float], width: int) -> Block:
    """Slices from one end of what is segmented to the other, each with its number in the file."""
    if volume.grid.shape[axis] <= LONG_STACK:
        return Block(0, 0)
    planes = choose_stack(volume, axis, most=SHEET_SLICES)
    field = choose_field(planes[0])
    field_mm = measure_field(planes[0], field)
    scale = min(TILE / side for side in field_mm)
    tiles = (_draw_tile(plane, scale, limits, field) for plane in planes)
    bar = draw_bar(scale, TILE / 2, "mm")
    words = write_paragraph(_describe_sheet(planes, field_mm), width - bar.width - 20)
    return stack([put_beside([words, bar], gap=20), lay_out(tiles, width, gap=8)], gap=8)


def _draw_tile(
    plane: Plane, scale: float, limits: tuple[float, float], field: tuple[slice, slice]
) -> Block:
    number = write(str(plane.number[0]), colour=GREY)
    return stack([number, _draw_plane(plane, scale, limits, field)], gap=1)


def _describe_sheet(planes: Sequence[Plane], field_mm: tuple[float, float]) -> str:
    plane, volume = planes[0], planes[0].volume
    what = "segmented " if volume.label.any() else ""
    height, width = field_mm
    whole = field_mm == plane.size_mm[::-1]
    field = "" if whole else f", {width:.0f} x {height:.0f} mm around the segmentation"
    first, last = planes[0].number[0], planes[-1].number[0]
    start = ("left", "back", "feet")[plane.axis]
    return (
        f"{len(planes)} {plane.name} slices, {first} to {last}, spread over the {what}slices from "
        f"the {start} on, sides as above{field}"
    )


def _describe_grid(grid: Geometry) -> str:
    shape = " x ".join(map(str, grid.shape))
    spacing = " x ".join(f"{step:.3g}" for step in grid.spacing_mm)
    text = f"{shape} voxels of {spacing} mm"
    if (tilt := measure_tilt(grid)) >= OBLIQUE_DEGREES:
        text += f", oblique grid: turned by up to {tilt:.0f}° against the patient's axes"
    if not grid.is_orthogonal:
        text += ", sheared grid: drawn as if its axes met at right angles"
    return text
