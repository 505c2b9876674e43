"""Membrane: synthetic electron microscopy of cells with exact labels, in the ISBI 2012 layout."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from medseg.datasets.phantom.canvas import Array, Grid, draw_smooth_noise

CELL_PIXELS = 24.0
"""Mean distance of neighbouring cell centres."""
MEMBRANE_PIXELS = 3.0
"""Thickness of a membrane, where the cells are not warped."""

_CELL, _MEMBRANE, _ORGANELLE = 170.0, 70.0, 60.0  # grey of 0 to 255
_CELL_SD, _TEXTURE, _NOISE = 16.0, 9.0, 12.0
_REACH = 14  # pixels from the centre of an organelle to where it ends
_WARP_PIXELS, _WARP_SCALE_PIXELS = 3.0, 12.0
_DRIFT_PIXELS = 1.2  # of a cell centre from one slice to the next


def write(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `train-volume.tif` and `train-labels.tif`, and `test-volume.tif` if there is any.

    Either stack goes through one block of tissue, so that neighbouring slices resemble each other.
    A slice depends on `seed`, its stack and its number alone.

    Args:
        root: folder to write.
        grid: its `size` is the number of rows and of columns; the rest is not used.
        cases: slices of the training stack.
        test_cases: slices of the test stack, whose labels are not written, as in the real set.
        seed: seed of all that is random.
    """
    root.mkdir(parents=True, exist_ok=True)
    slices = list(draw_stack(grid.size, cases, seed=(seed, 0)))
    _save([image for image, _ in slices], root / "train-volume.tif")
    _save([label for _, label in slices], root / "train-labels.tif")
    if test_cases:
        test = draw_stack(grid.size, test_cases, seed=(seed, 1))
        _save([image for image, _ in test], root / "test-volume.tif")


def draw_stack(
    size: int, slices: int, *, seed: tuple[int, int]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Paint the slices of one block of tissue: grey values, and labels of 0 (membrane) and 255.

    Cells are the Voronoi regions of drifting points, bent a little. Membranes fade where they run
    oblique, and cells hold organelles as dark as a membrane, so that no threshold tells it.
    """
    tissue = _draw_tissue(np.random.default_rng(seed), size)
    for number in range(slices):
        rng = np.random.default_rng((*seed, number))
        distance, cell = _draw_cells(tissue, rng, size=size, depth=number)
        label = distance > MEMBRANE_PIXELS / 2
        yield _draw_image(tissue, rng, distance, cell), label.astype(np.uint8) * 255


@dataclass(frozen=True)
class _Tissue:
    """Cells: centres (n, 2) in pixels, drift a slice, grey; and the warp of the plane (2, ...)."""

    centres: Array
    drift: Array
    grey: Array
    warp: Array


def _draw_tissue(rng: np.random.Generator, size: int) -> _Tissue:
    grid = np.arange(-4 * CELL_PIXELS, size + 4 * CELL_PIXELS, CELL_PIXELS)  # some drift in
    centres = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    count = len(centres)
    warp = np.stack(
        [draw_smooth_noise(rng, size, scale_pixels=_WARP_SCALE_PIXELS) for _ in range(2)]
    )
    return _Tissue(
        centres=centres + rng.uniform(-0.55, 0.55, (count, 2)) * CELL_PIXELS,
        drift=rng.uniform(-_DRIFT_PIXELS, _DRIFT_PIXELS, (count, 2)),
        grey=rng.normal(_CELL, _CELL_SD, count),
        warp=warp * _WARP_PIXELS,
    )


def _draw_cells(
    tissue: _Tissue, rng: np.random.Generator, *, size: int, depth: int
) -> tuple[Array, NDArray[np.intp]]:
    """The distance of each pixel from the nearest border of two cells, in pixels, and its cell."""
    centres = tissue.centres + depth * tissue.drift
    y, x = np.mgrid[:size, :size] + tissue.warp + rng.normal(0, 0.5, (2, 1, 1))
    near, cell = cKDTree(centres).query(np.stack([y, x], -1), k=2)
    apart = np.linalg.norm(centres[cell[..., 0]] - centres[cell[..., 1]], axis=-1)
    return (near[..., 1] ** 2 - near[..., 0] ** 2) / (2 * apart), cell[..., 0]


def _draw_image(
    tissue: _Tissue, rng: np.random.Generator, distance: Array, cell: NDArray[np.intp]
) -> NDArray[np.uint8]:
    size = len(distance)
    visible = np.clip(0.75 + 0.25 * draw_smooth_noise(rng, size, scale_pixels=15.0), 0.25, 1)
    profile = np.exp(-((distance / (0.6 * MEMBRANE_PIXELS)) ** 4)) * visible
    inside = tissue.grey[cell] + _TEXTURE * draw_smooth_noise(rng, size, scale_pixels=1.5)
    dark = _draw_organelles(rng, size) * (distance > 1.5 * MEMBRANE_PIXELS)
    inside += (_ORGANELLE - inside) * dark
    image = inside + (_MEMBRANE - inside) * profile
    image = gaussian_filter(image, 0.7) + rng.normal(0, _NOISE, image.shape)
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def _draw_organelles(rng: np.random.Generator, size: int) -> Array:
    """How much of an organelle a pixel shows: vesicles, and striped mitochondria."""
    shown = np.zeros((size, size))
    cells = (size / CELL_PIXELS) ** 2
    for paint, count in ((_draw_vesicle, 1.2 * cells), (_draw_mitochondrion, 0.3 * cells)):
        for centre in rng.uniform(0, size, (round(count), 2)):
            (top, left), (bottom, right) = (
                np.clip(centre + step, 0, size).astype(int) for step in (-_REACH, _REACH)
            )
            y, x = np.mgrid[top:bottom, left:right] - centre[:, None, None]
            part = shown[top:bottom, left:right]
            np.maximum(part, paint(rng, x, y), out=part)
    return shown


def _draw_vesicle(rng: np.random.Generator, x: Array, y: Array) -> Array:
    return np.exp(-(((x**2 + y**2) / rng.uniform(1.2, 2.4) ** 2) ** 2))


def _draw_mitochondrion(rng: np.random.Generator, x: Array, y: Array) -> Array:
    angle, stripe = rng.uniform(0, np.pi), rng.uniform(1.4, 1.9)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    body = np.exp(-(((along / 9) ** 2 + (across / 5) ** 2) ** 3))
    return body * (0.6 + 0.4 * np.sin(stripe * along))


def _save(pages: list[NDArray[np.uint8]], path: Path) -> None:
    first, *rest = (Image.fromarray(page) for page in pages)
    first.save(path, format="TIFF", save_all=True, append_images=rest)
