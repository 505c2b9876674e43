"""Microscopy phantom: fluorescent nuclei, some of which touch, in the layout of the Kaggle set.

A nucleus is an ellipse with a textured interior on a dark, uneven background; its mask is exact at
pixel centres. Some nuclei are laid beside another one, a pixel or none between them, so that
telling them apart takes more than a threshold.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.canvas import Grid

_RADIUS = (0.045, 0.085)  # of the width of the picture
_CLUSTER_SHARE = 0.4
_ATTEMPTS = 60
_LARGEST = 20


def write_microscopy(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `<id>/images/<id>.png` (RGBA) and `<id>/masks/*.png`, one mask per nucleus.

    The published set has no test pictures with masks: those of `test_cases` follow the others.
    """
    for number in range(cases + test_cases):
        rng = np.random.default_rng((seed, number))
        name = f"phantom{number:04d}"
        objects = _place_objects(rng, grid.size)
        for part in ("images", "masks"):
            (root / name / part).mkdir(parents=True)
        Image.fromarray(_draw_picture(rng, objects)).save(root / name / "images" / f"{name}.png")
        for index in range(1, int(objects.max()) + 1):
            mask = np.where(objects == index, 255, 0).astype(np.uint8)
            Image.fromarray(mask).save(root / name / "masks" / f"{name}_{index:03d}.png")


def _place_objects(rng: np.random.Generator, size: int) -> np.ndarray:
    """Numbered nuclei (size, size) that do not overlap, all of them whole."""
    objects = np.zeros((size, size), np.int32)
    centres: list[tuple[np.ndarray, float]] = []
    for _ in range(_ATTEMPTS):
        radius = rng.uniform(*_RADIUS) * size
        centre = rng.uniform(radius + 1, size - radius - 2, 2)
        if centres and rng.random() < _CLUSTER_SHARE:  # beside another nucleus
            beside, other = centres[rng.integers(len(centres))]
            angle = rng.uniform(0, 2 * np.pi)
            centre = beside + (other + radius) * np.array([np.sin(angle), np.cos(angle)])
        nucleus = _draw_ellipse(rng, size, centre=centre, radius=radius)
        inside = ((centre > radius) & (centre < size - 1 - radius)).all()
        if inside and nucleus.any() and not objects[nucleus].any() and len(centres) < _LARGEST:
            centres.append((centre, radius))
            objects[nucleus] = len(centres)
    return objects


def _draw_ellipse(
    rng: np.random.Generator, size: int, *, centre: np.ndarray, radius: float
) -> np.ndarray:
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.75, 1.0)
    rows, columns = np.ogrid[:size, :size]
    y, x = rows - centre[0], columns - centre[1]
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    return (along / radius) ** 2 + (across / (stretch * radius)) ** 2 <= 1


def _draw_picture(rng: np.random.Generator, objects: np.ndarray) -> np.ndarray:
    """RGBA of 8 bits: grey fluorescence with equal channels, opaque, as most of the set."""
    brightness = np.concatenate([[0.0], rng.uniform(0.45, 0.9, int(objects.max()))])[objects]
    texture = gaussian_filter(rng.standard_normal(objects.shape), 1.5)
    uneven = gaussian_filter(rng.standard_normal(objects.shape), objects.shape[0] / 6)
    grey = gaussian_filter(brightness, 0.7) * (1 + 0.4 * texture) + 0.08
    grey += 0.04 * uneven / max(float(np.abs(uneven).max()), 1e-9)
    grey += rng.normal(0, 0.015, grey.shape)
    levels = np.clip(np.rint(255 * grey), 0, 255).astype(np.uint8)
    return np.dstack([levels, levels, levels, np.full_like(levels, 255)])
