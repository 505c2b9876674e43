"""Voxel values: a sample of an image, and the limits in HU above which a voxel is of the body.

Both are shared by the checks of images, so that they look at the same voxels in the same way.
"""

import numpy as np

BODY_ABOVE_HU = -400
"""Voxels of a CT above this are body. Those below are air, in the body or around it, or lung."""

TISSUE_ABOVE_HU = -200
"""Voxels of a CT above this are fat, soft tissue or bone: no air, no lung, no edge of either."""

MOST_VOXELS = 2**20
"""Voxels that are looked at, spread evenly."""


def take_sample(array: np.ndarray) -> np.ndarray:
    """At most about `MOST_VOXELS` values of (C, *spatial), spread evenly, flat.

    Example:
        >>> take_sample(np.zeros((1, 2, 3))).shape
        (6,)
    """
    stride = max(1, int(np.ceil((array.size / MOST_VOXELS) ** (1 / max(array.ndim - 1, 1)))))
    places = [slice(None)] + [slice(None, None, stride)] * (array.ndim - 1)
    return array[tuple(places)].ravel()
