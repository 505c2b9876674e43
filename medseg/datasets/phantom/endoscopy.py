"""Endoscopy: synthetic colonoscopy with exact masks of its polyps, in the layout of Kvasir-SEG."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.canvas import Array, Grid, Mask, draw_smooth_noise

_MUCOSA = (0.74, 0.40, 0.30)  # red, green, blue of 0 to 1
_PALER, _REDDER = (1.04, 1.12, 1.14), (1.02, 0.90, 0.88)  # a polyp against its mucosa
_QUALITY = 92  # of the JPEG pictures
_MASK_QUALITY = 100  # so that 0 and 255 stay far from 127


def write(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write pictures, masks and boxes to `root/Kvasir-SEG`.

    Kvasir-SEG has no test set of its own, so the `cases + test_cases` pictures are of one kind. A
    picture depends on `seed` and its number alone.

    Args:
        root: folder to write.
        grid: its `size` is the number of rows and of columns; the rest is not used.
        cases: pictures for training.
        test_cases: pictures more.
        seed: seed of all that is random.
    """
    folder = root / "Kvasir-SEG"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    boxes = {}
    for number in range(cases + test_cases):
        name = f"phantom{number:04d}"
        picture, mask = draw(np.random.default_rng((seed, number)), grid.size)
        _save(picture, folder / "images" / f"{name}.jpg", quality=_QUALITY)
        _save(mask.astype(np.uint8) * 255, folder / "masks" / f"{name}.jpg", quality=_MASK_QUALITY)
        boxes[name] = {"height": grid.size, "width": grid.size, "bbox": [_find_box(mask)]}
    (folder / "kavsir_bboxes.json").write_text(json.dumps(boxes, indent=1), encoding="utf-8")


def draw(rng: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], Mask]:
    """Paint one frame.

    The polyp is a raised ellipse of much the colour of the mucosa, lit from one side. Folds as
    bright as it, a dark lumen, vessels and highlights are all over the picture, so that it is not
    its colour but its outline and shading that tell it.

    Returns:
        The picture (size, size, 3) of 0 to 255, and the mask of the polyp (size, size).
    """
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    light = _draw_lumen(rng, x, y) * _draw_folds(rng, x, y)
    height, shade = _draw_polyp(rng, x, y)
    mask = height > 0
    light *= shade
    tint = np.array(_MUCOSA) * rng.uniform(0.92, 1.08, 3)
    other = np.array(_PALER if rng.random() < 0.5 else _REDDER)
    colour: Array = tint * np.where(mask[..., None], other, 1.0)
    colour = (
        colour
        * light[..., None]
        * (1 + 0.10 * draw_smooth_noise(rng, size, scale_pixels=0.02 * size)[..., None])
    )
    colour = _draw_vessels(rng, colour, mask)
    colour = np.maximum(colour, _draw_highlights(rng, x, y)[..., None])
    colour = gaussian_filter(colour, (0.6, 0.6, 0)) + rng.normal(0, 0.012, colour.shape)
    colour[_find_dark_corners(x, y)] = 0
    return np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8), mask


def _draw_lumen(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """The light that falls off towards the corners and into the depth of the bowel."""
    cx, cy = rng.uniform(-0.6, 0.6, 2)
    depth = np.exp(-(((x - cx) / 0.35) ** 2 + ((y - cy) / 0.3) ** 2))
    vignette = 1.1 - 0.35 * (x**2 + y**2)
    return vignette * (1 - rng.uniform(0.5, 0.8) * depth)


def _draw_folds(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Ridges of the bowel: arcs, bright on one flank and dark on the other."""
    light = np.ones_like(x)
    for _ in range(rng.integers(2, 5)):
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.9, 0.9)
        along, across = _turn(x, y, angle)
        line = (across - offset - rng.uniform(-0.5, 0.5) * along**2) / rng.uniform(0.06, 0.14)
        light += rng.uniform(0.2, 0.4) * -line * np.exp(0.5 - line**2)
    return light


def _draw_polyp(rng: np.random.Generator, x: Array, y: Array) -> tuple[Array, Array]:
    """The height of the polyp, 1 at its top and 0 at its edge and beyond, and how it is lit."""
    radius = rng.uniform(0.2, 0.42)
    along, across = _turn(
        x - rng.uniform(-0.4, 0.4), y - rng.uniform(-0.4, 0.4), rng.uniform(0, np.pi)
    )
    across = across / rng.uniform(0.65, 0.95)
    angle = np.arctan2(across, along)
    edge = radius * (1 + sum(rng.uniform(-0.06, 0.06) * np.cos(k * angle) for k in (2, 3, 5)))
    distance = np.hypot(along, across) / edge
    height = np.sqrt(np.clip(1 - distance**2, 0, None))
    towards = rng.uniform(0, 2 * np.pi)
    side = (np.cos(towards) * along + np.sin(towards) * across) / edge
    lit = np.where(height > 0, 1.04 + 0.22 * height + 0.28 * side * (1 - height), 1.0)
    shadow = np.clip(-side, 0, 1.3) * np.exp(-(((distance - 1) / 0.12) ** 2)) * (height == 0)
    return height, lit - 0.4 * shadow


def _draw_vessels(rng: np.random.Generator, colour: Array, mask: Mask) -> Array:
    """Darken green and blue along thin branching lines, less on the polyp, whose vessels hide."""
    field = draw_smooth_noise(rng, len(colour), scale_pixels=0.05 * len(colour))
    lines = np.exp(-((field / 0.12) ** 2)) * np.where(mask, 0.3, 1.0)
    return colour * (1 - lines[..., None] * np.array([0.05, 0.16, 0.16]))


def _draw_highlights(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """White reflections of the lamp on wet mucosa, of 0 to 1."""
    spots = np.zeros_like(x)
    for _ in range(rng.integers(8, 20)):
        (cx, cy), (rx, ry) = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.015, 0.05, 2)
        along, across = _turn(x - cx, y - cy, rng.uniform(0, np.pi))
        level = np.exp(-((along / rx) ** 2) - (across / ry) ** 2)
        spots = np.maximum(spots, np.clip(2 * level - 0.6, 0, 1))
    return spots


def _find_dark_corners(x: Array, y: Array) -> Mask:
    """The black corners of the octagonal picture."""
    return np.abs(x) + np.abs(y) > 1.6


def _turn(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _find_box(mask: Mask) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return {
        "label": "polyp",
        "xmin": int(columns[0]),
        "ymin": int(rows[0]),
        "xmax": int(columns[-1]),
        "ymax": int(rows[-1]),
    }


def _save(array: NDArray[np.uint8], path: Path, *, quality: int) -> None:
    Image.fromarray(array).save(path, format="JPEG", quality=quality)
