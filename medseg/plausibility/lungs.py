"""Lungs: how much of the body in a CT is lung, by which a chest is told from an abdomen."""

import numpy as np

from medseg.base.masks import label_components
from medseg.plausibility.voxel_values import BODY_ABOVE_HU

LUNG_HU = -950
"""Less is the air of gut and windpipe, or padding."""

MOST_LINES = 64
"""Rows, columns and slices that are looked at, about."""


def measure_lung_share(array: np.ndarray) -> float:
    """Of the body, the share that is lung, in the slices that show least of it.

    It is the tenth percentile of the slices. Half of a slice through the dome of the liver may be
    lung, but a scan of the abdomen has slices below, without any; in one of the chest alone every
    slice shows it. What has the density of lung and is connected with the border of its slice is
    air around the body, whatever its value.

    Args:
        array: (I, J, K), HU, slices across the last axis.
    """
    stride = max(1, min(array.shape[:2]) // MOST_LINES)
    slices = array[::stride, ::stride, :: max(1, array.shape[2] // MOST_LINES)]
    return float(np.percentile(measure_lung_profile(slices), 10))


def measure_lung_profile(slices: np.ndarray) -> list[float]:
    """Of the body in each slice, (I, J, K) in HU, the share that is lung; see
    `measure_lung_share`."""
    return [_measure_share(slices[..., k]) for k in range(slices.shape[2])]


def _measure_share(hu: np.ndarray) -> float:
    """Of the body in a slice, (I, J), the share that is lung."""
    regions, _ = label_components(hu <= BODY_ABOVE_HU, connectivity=1)
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    inside = (regions > 0) & ~np.isin(regions, border)
    lung = np.count_nonzero(inside & (hu > LUNG_HU))
    return lung / max(lung + np.count_nonzero(hu > BODY_ABOVE_HU), 1)
