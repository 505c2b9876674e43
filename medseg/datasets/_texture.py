"""Texture: smooth noise for synthetic pictures."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def smooth_noise(
    rng: np.random.Generator, size: int, *, scale_pixels: float
) -> NDArray[np.float64]:
    """Draw noise (size, size) that varies over `scale_pixels`, of mean 0 and standard deviation 1.

    Opposite edges fit together.
    """
    noise = gaussian_filter(rng.standard_normal((size, size)), scale_pixels, mode="wrap")
    return (noise - noise.mean()) / noise.std()
