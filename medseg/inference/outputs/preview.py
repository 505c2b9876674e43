"""Preview: one picture that shows whether a segmentation is plausible."""

import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from medseg.base.class_values import Classes
from medseg.base.text import escape_unprintable
from medseg.inference.outputs.notes import format_note
from medseg.transforms.regions import members

# colours of the classes, in order (a palette that the colour-blind can tell apart)
COLOURS = ((230, 85, 70), (255, 205, 60), (70, 160, 230), (90, 190, 110), (190, 110, 210))
PLANE_HEIGHT, PLANE_WIDTH = 384, 512
"""Pixels that a plane has to fit into; it fills one of the two, at its true proportions."""

THIN_PLANE = 96
"""A plane of fewer pixels on a side shows nothing: three slices of the stack are drawn instead."""

PICTURE_HEIGHT, PICTURE_WIDTH = 768, 1024
"""The same of a picture: a small one is enlarged, a large one reduced."""

_MARGIN, _LINE = 8, 22
_OUTLINE_PIXELS = 2
_TINT = 0.15
_FONT = ImageFont.load_default(size=14)
_NOTE_COLOUR = (255, 150, 60)
_ENDS = (("A", "P"), ("R", "L"), ("R", "L"))  # left and right of a plane across I, J, K
_STACK = 3  # slices of a thin volume that are drawn


Planes = Callable[[int, int], np.ndarray]
"""Gives the plane of an image across an axis at an index, the other two axes in their order."""


def draw_preview(
    image: Planes,
    label: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    classes: Sequence[str] | Classes,
    voxel_ml: float | None = None,
    notes: Sequence[str] = (),
) -> Image.Image:
    """The axial, coronal and sagittal plane through the segmentation, in radiological convention.

    The patient's right is on the left of the axial and coronal planes. Each plane is the one with
    the largest segmented area; without any segmented voxel, the middle one. A class is drawn as an
    outline over a light tint, and named in the caption with its volume: its voxels of `label` times
    that of a voxel.
    Where it reaches the edge of a plane, the outline runs along that edge.

    Planes keep their proportions in millimetres. Of a volume of a few slices two of them would be
    strips, narrower than `THIN_PLANE`: up to three slices of the stack are drawn instead, spread
    over the segmented ones (over all without any), from the left, the back or the feet on.

    Args:
        image: its planes on the grid of `label`, values 0 (black) to 1 (white).
        label: (I, J, K) in RAS+ orientation, class indices; 0 is background.
        spacing_mm: voxel size.
        classes: names of the classes 1, 2, ...; with the label values that each gathers, a region
            is counted with those within it.
        voxel_ml: the volume of a voxel; None for that of its edges at right angles.
        notes: what must be known of the case, a paragraph each below the caption.
    """
    views = _views(label, spacing_mm)
    planes = [_plane(image(*view), label, view, spacing_mm) for view in views]
    voxel_ml = float(np.prod(spacing_mm)) / 1000 if voxel_ml is None else voxel_ml
    entries = _volumes(label, voxel_ml, classes)
    width = sum(p.width for p in planes) + _MARGIN * (len(planes) + 1)
    width = max(width, *(_entry_width(text) for _, text in entries))
    lines = [*_caption_lines(entries, width), *_note_lines(notes, width)]
    height = PLANE_HEIGHT + 2 * _MARGIN + _LINE * len(lines)
    canvas = Image.new("RGB", (width, height), "black")
    draw = ImageDraw.Draw(canvas)
    x = _MARGIN
    for plane, (axis, _) in zip(planes, views, strict=True):
        left, right = _ENDS[axis]
        canvas.paste(plane, (x, _MARGIN + (PLANE_HEIGHT - plane.height) // 2))
        middle = _MARGIN + PLANE_HEIGHT // 2
        _write(draw, (x + 4, middle), left, anchor="lm")
        _write(draw, (x + plane.width - 4, middle), right, anchor="rm")
        x += plane.width + _MARGIN
    _draw_lines(canvas, lines, top=PLANE_HEIGHT + 2 * _MARGIN)
    return canvas


def draw_picture(
    image: np.ndarray,
    label: np.ndarray,
    *,
    classes: Sequence[str] | Classes,
    notes: Sequence[str] = (),
) -> Image.Image:
    """A picture with its classes as outlines over a light tint, each named in the caption.

    The caption gives the area of a class in pixels of `label`, and in per cent of the picture. An
    outline runs along the edge of the picture where its class reaches it.

    Args:
        image: (1, I, J) grey or (3, I, J) red, green, blue; values 0 (black) to 1 (white).
        label: (I, J), class indices; 0 is background.
        classes: names of the classes 1, 2, ...; with the label values that each gathers, a region
            is counted with those within it.
        notes: what must be known of the case, a paragraph each below the caption.

    Raises:
        ValueError: the picture has another number of channels.
    """
    if len(image) not in (1, 3):
        raise ValueError(f"the picture has {len(image)} channels: a preview needs 1 or 3")
    rows, columns = label.shape
    scale = min(PICTURE_WIDTH / columns, PICTURE_HEIGHT / rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    shades = np.broadcast_to(image, (3, *image.shape[1:]))
    picture = _overlay(np.moveaxis(shades, 0, -1), label, size)
    entries = _areas(label, classes)
    width = max(picture.width, *(_entry_width(text) for _, text in entries)) + 2 * _MARGIN
    lines = [*_caption_lines(entries, width), *_note_lines(notes, width)]
    canvas = Image.new("RGB", (width, picture.height + 2 * _MARGIN + _LINE * len(lines)), "black")
    canvas.paste(picture, ((width - picture.width) // 2, _MARGIN))
    _draw_lines(canvas, lines, top=picture.height + 2 * _MARGIN)
    return canvas


def _views(label: np.ndarray, spacing_mm: Sequence[float]) -> list[tuple[int, int]]:
    """The planes to draw, as (axis that they lie across, index along it)."""
    thinnest = int(np.argmin(np.multiply(label.shape, spacing_mm)))
    sizes = [min(_plane_size(label.shape, axis, spacing_mm)) for axis in range(3)]
    if [axis for axis in range(3) if sizes[axis] >= THIN_PLANE] == [thinnest]:
        return [(thinnest, index) for index in _choose_planes(_areas_across(label, thinnest))]
    return [(axis, _largest(_areas_across(label, axis))) for axis in (2, 1, 0)]


def _areas_across(label: np.ndarray, axis: int) -> np.ndarray:
    """Segmented voxels of each plane across an axis."""
    return (label > 0).sum(axis=tuple(a for a in range(3) if a != axis))


def _largest(areas: np.ndarray) -> int:
    return int(areas.argmax()) if areas.any() else len(areas) // 2


def _choose_planes(areas: np.ndarray) -> list[int]:
    """Up to three indices: the middles of the thirds of what is segmented, else of the image."""
    found = np.flatnonzero(areas) if areas.any() else np.arange(len(areas))
    first, count = int(found[0]), int(found[-1] - found[0] + 1)
    shown = min(_STACK, count)
    return [first + (2 * n + 1) * count // (2 * shown) for n in range(shown)]


def _plane_size(shape: Sequence[int], axis: int, spacing_mm: Sequence[float]) -> tuple[int, int]:
    """Width and height in pixels of a plane across `axis`, at least 1."""
    width_mm, height_mm = (shape[a] * spacing_mm[a] for a in range(3) if a != axis)
    scale = min(PLANE_WIDTH / width_mm, PLANE_HEIGHT / height_mm)
    return max(1, round(width_mm * scale)), max(1, round(height_mm * scale))


def _plane(
    shades: np.ndarray, label: np.ndarray, view: tuple[int, int], spacing_mm: Sequence[float]
) -> Image.Image:
    """One plane of `_views`, first image row at the anterior or superior end."""
    axis, index = view
    grey, classes = (x[::-1, ::-1].T for x in (shades, np.take(label, index, axis=axis)))
    return _overlay(grey, classes, _plane_size(label.shape, axis, spacing_mm))


def _overlay(shades: np.ndarray, classes: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Grey (I, J) or colour (I, J, 3) of 0 to 1, at `size` (width, height), classes on top."""
    shown = Image.fromarray((np.clip(shades, 0, 1) * 255).astype(np.uint8))
    picture = np.asarray(shown.resize(size, Image.Resampling.BILINEAR).convert("RGB"))
    overlay = Image.fromarray(classes.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(_tint(picture.astype(float), np.asarray(overlay)).astype(np.uint8))


def _tint(rgb: np.ndarray, classes: np.ndarray) -> np.ndarray:
    for value in np.unique(classes[classes > 0]):
        mask = classes == value
        inner = ndimage.binary_erosion(mask, iterations=_OUTLINE_PIXELS)
        colour = np.array(_colour(int(value)), dtype=float)
        rgb[mask] = (1 - _TINT) * rgb[mask] + _TINT * colour
        rgb[mask & ~inner] = colour
    return rgb


def _colour(value: int) -> tuple[int, int, int]:
    return COLOURS[(value - 1) % len(COLOURS)]


def _counts(label: np.ndarray, classes: Sequence[str] | Classes) -> list[int]:
    """Voxels of each class; a region counts those of the regions within it, too."""
    alone = [int(np.count_nonzero(label == value)) for value in range(1, len(classes) + 1)]
    if not isinstance(classes, Mapping):
        return alone
    return [sum(alone[index - 1] for index in indices) for indices in members(classes)]


def _volumes(
    label: np.ndarray, voxel_ml: float, classes: Sequence[str] | Classes
) -> list[tuple[int, str]]:
    """Class index and text, for instance (1, "liver 1532.4 mL")."""
    counts = _counts(label, classes)
    texts = (
        f"{name} {n * voxel_ml:.1f} mL" if n else f"{name}: none"
        for name, n in zip(map(escape_unprintable, classes), counts, strict=True)
    )
    return list(enumerate(texts, start=1))


def _areas(label: np.ndarray, classes: Sequence[str] | Classes) -> list[tuple[int, str]]:
    """Class index and text, for instance (1, "nucleus 5120 pixels, 7.8 %")."""
    counts = _counts(label, classes)
    texts = (
        f"{name} {n} pixels, {100 * n / label.size:.1f} %" if n else f"{name}: none"
        for name, n in zip(map(escape_unprintable, classes), counts, strict=True)
    )
    return list(enumerate(texts, start=1))


def _caption_lines(entries: list[tuple[int, str]], width: int) -> list[list[tuple[int, int, str]]]:
    """Entries as (x, class, text) in as many lines as fit into the width."""
    lines: list[list[tuple[int, int, str]]] = [[]]
    x = _MARGIN
    for value, text in entries:
        needed = _entry_width(text)
        if x + needed > width and lines[-1]:
            lines.append([])
            x = _MARGIN
        lines[-1].append((x, value, text))
        x += needed
    return lines


def _note_lines(notes: Sequence[str], width: int) -> list[list[tuple[int, int, str]]]:
    """Notes as the lines of a caption, broken between words; class 0 stands for none."""
    letter = _FONT.getlength("n")
    fitting = max(20, int((width - 2 * _MARGIN) / letter))
    texts = (line for note in notes for line in textwrap.wrap(format_note(note), fitting))
    return [[(_MARGIN, 0, text)] for text in texts]


def _entry_width(text: str) -> int:
    """Pixels of a caption's entry: its patch of colour, its text and the gap after it."""
    return 40 + int(_FONT.getlength(text))


def _draw_lines(canvas: Image.Image, lines: list[list[tuple[int, int, str]]], *, top: int) -> None:
    draw = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        _draw_line(draw, line, y=top + row * _LINE)


def _draw_line(draw: ImageDraw.ImageDraw, line: list[tuple[int, int, str]], *, y: int) -> None:
    for x, value, text in line:
        if value == 0:
            draw.text((x, y), text, _NOTE_COLOUR, font=_FONT)
            continue
        draw.rectangle((x, y + 3, x + 12, y + 15), fill=_colour(value))
        draw.text((x + 18, y), text, "white", font=_FONT)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, *, anchor: str) -> None:
    """Write white text with a black rim, which can be read on any background."""
    draw.text(place, text, "white", font=_FONT, anchor=anchor, stroke_width=2, stroke_fill="black")
