"""A synthetic CT for the tests of several modules."""

import numpy as np


def make_scan(lungs=0):
    """(1, 32, 32, 40): air around a body of 40 HU, fat below its skin; lung in the last slices."""
    image = np.full((1, 32, 32, 40), -1000.0)
    image[:, 4:28, 4:28] = -100
    image[:, 6:26, 6:26] = 40
    if lungs:
        image[:, 8:24, 8:24, -lungs:] = -800
    return image + np.random.default_rng(0).normal(0, 10, image.shape)
