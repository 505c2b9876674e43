"""CT slices phantom: windowed slices of the synthetic abdomen as PNG, with liver masks.

The layout is that of `medseg.datasets.liver_slices`. Slices are turned by 90 degrees against the
display of a viewer, as those of the real set are, which were cut from NIfTI arrays.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from medseg.datasets.phantom.canvas import Grid
from medseg.datasets.phantom.liver_ct import ct_volume

_WINDOW_HU = (-160.0, 240.0)


def write(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `images/<case>_<slice>.png` and `masks/<case>_<slice>.png`, 8 bits each.

    Each case is a patient; a test set is not published, so `test_cases` follow the others.
    """
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    low, high = _WINDOW_HU
    for number in range(cases + test_cases):
        volume = ct_volume(np.random.default_rng((seed, number)), grid)
        shades = np.rint(np.clip((volume.hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        liver = np.where(volume.label > 0, 255, 0).astype(np.uint8)
        for k in range(grid.slices):
            name = f"{number:03d}_{k:03d}.png"
            Image.fromarray(shades[:, :, k]).save(root / "images" / name)
            Image.fromarray(liver[:, :, k]).save(root / "masks" / name)
