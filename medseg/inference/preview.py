"""Preview: one picture that shows whether a segmentation is sane."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

# colours of the classes, in order (a palette that the colour-blind can tell apart)
COLOURS = ((230, 85, 70), (255, 205, 60), (70, 160, 230), (90, 190, 110), (190, 110, 210))
PLANE_HEIGHT = 384
_MARGIN, _CAPTION = 8, 26


def draw_preview(
    image: np.ndarray, label: np.ndarray, *, spacing_mm: Sequence[float], classes: Sequence[str]
) -> Image.Image:
    """The axial, coronal and sagittal plane through the segmentation, in radiological convention.

    The patient's right is on the left of the axial and coronal planes. Each plane is the one with
    the largest segmented area; without any segmented voxel, the middle one. A class is drawn as an
    outline over a light tint, and named with its volume in the caption.

    Args:
        image: (I, J, K) in RAS+ orientation, values 0 (black) to 1 (white).
        label: (I, J, K), class indices; 0 is background.
        spacing_mm: voxel size.
        classes: names of the classes 1, 2, ...
    """
    planes = [_plane(image, label, axis, spacing_mm) for axis in (2, 1, 0)]
    width = sum(p.width for p in planes) + _MARGIN * (len(planes) + 1)
    canvas = Image.new("RGB", (width, PLANE_HEIGHT + _CAPTION + 2 * _MARGIN), "black")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
    x = _MARGIN
    for plane, marker in zip(planes, ("R", "R", "A"), strict=True):
        canvas.paste(plane, (x, _MARGIN))
        draw.text((x + 4, _MARGIN + PLANE_HEIGHT // 2 - 8), marker, "white", font=font)
        x += plane.width + _MARGIN
    _caption(draw, font, label, spacing_mm, classes)
    return canvas


def _plane(
    image: np.ndarray, label: np.ndarray, axis: int, spacing_mm: Sequence[float]
) -> Image.Image:
    """One plane across `axis`, first image row at the anterior or superior end."""
    others = tuple(a for a in range(3) if a != axis)
    area = (label > 0).sum(axis=others)
    index = int(area.argmax()) if area.any() else label.shape[axis] // 2
    grey, classes = (np.take(x, index, axis=axis)[::-1, ::-1].T for x in (image, label))
    rgb = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=-1) * 255
    width_mm = grey.shape[1] * spacing_mm[others[0]]
    height_mm = grey.shape[0] * spacing_mm[others[1]]
    size = (max(1, round(PLANE_HEIGHT * width_mm / height_mm)), PLANE_HEIGHT)
    picture = np.asarray(
        Image.fromarray(rgb.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    )
    overlay = np.asarray(
        Image.fromarray(classes.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    )
    return Image.fromarray(_tint(picture.astype(float), overlay).astype(np.uint8))


def _tint(rgb: np.ndarray, classes: np.ndarray) -> np.ndarray:
    for value in np.unique(classes[classes > 0]):
        mask = classes == value
        edge = mask & ~ndimage.binary_erosion(mask, iterations=2, border_value=1)
        colour = np.array(COLOURS[(int(value) - 1) % len(COLOURS)], dtype=float)
        rgb[mask] = 0.8 * rgb[mask] + 0.2 * colour
        rgb[edge] = colour
    return rgb


def _caption(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    label: np.ndarray,
    spacing_mm: Sequence[float],
    classes: Sequence[str],
) -> None:
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    x, y = _MARGIN, PLANE_HEIGHT + 2 * _MARGIN
    for value, name in enumerate(classes, start=1):
        text = f"{name} {np.count_nonzero(label == value) * voxel_ml:.1f} mL"
        colour = COLOURS[(value - 1) % len(COLOURS)]
        draw.rectangle((x, y + 3, x + 12, y + 15), fill=colour)
        draw.text((x + 18, y), text, "white", font=font)
        x += 40 + int(draw.textlength(text, font=font))
