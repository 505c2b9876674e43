"""Hounsfield: whether values can be Hounsfield units, and how much of a scan is lung.

Limits are far from what scans were measured to have: 3D-IRCADb-01, LIDC-IDRI, and the CT files of
`shared/data`, which are chest, abdomen, head and thin stacks.
"""

import numpy as np

FAT_HU = -50
"""Fat lies from -120 to -60 HU and air at -1000. Scans hold 38 % and more below -50 HU, and a crop
inside the body its fat; magnetic resonance, pictures and label maps hold none."""

LEAST_FAT_AND_AIR = 0.005

TISSUE_HU = (-200, 300)
"""Fat, water, organs, blood with contrast agent. Scans hold 26 % and more."""

LEAST_TISSUE = 0.005

DENSE_HU = 700
"""Only bone and metal are denser: 11 % of what is no air, at most. Stored values without their
intercept of -1024 lie there as a whole."""

BODY_HU = -400
MOST_DENSE = 0.4

AIR_HU = (-1100, -850)
LEAST_AIR = 0.02
"""What a scan is known by where none is expected: air beside soft tissue. One that was cropped
inside the body has no air and is not known."""

LUNG_HU = (-950, -600)

MOST_VOXELS = 2**20
"""Voxels that are looked at, spread evenly."""

MOST_LINES = 64
"""Likewise of rows, columns and slices, about, where slices are compared."""


def why_not_hounsfield(array: np.ndarray) -> str | None:
    """Say why values cannot be Hounsfield units; None where they can.

    Args:
        array: (C, *spatial). A constant one passes: there is nothing to be judged by.
    """
    values = sample(array)
    least, most = float(values.min()), float(values.max())
    if least == most:
        return None
    span = f"its values go from {least:g} to {most:g}"
    if np.mean(values < FAT_HU) < LEAST_FAT_AND_AIR:
        return f"{span} and hardly any is below {FAT_HU}, where air and fat are"
    if np.mean((values > TISSUE_HU[0]) & (values < TISSUE_HU[1])) < LEAST_TISSUE:
        low, high = TISSUE_HU
        return f"{span} and hardly any is from {low} to {high}, where soft tissue is"
    body = values[values > BODY_HU]
    if np.mean(body > DENSE_HU) > MOST_DENSE:
        share = f"{np.mean(body > DENSE_HU):.0%}"
        return f"{span} and {share} of what is no air is above {DENSE_HU}, where only bone is"
    return None


def is_scan_in_hounsfield(array: np.ndarray) -> bool:
    """Whether values that should be others are those of a CT: air beside soft tissue."""
    values = sample(array)
    air = np.mean((values > AIR_HU[0]) & (values < AIR_HU[1]))
    tissue = np.mean((values > TISSUE_HU[0]) & (values < TISSUE_HU[1]))
    return bool(air >= LEAST_AIR and tissue >= 10 * LEAST_TISSUE)


def lung_share(array: np.ndarray) -> float:
    """Of the body, the share that has the density of lung, in the slices that show least of it.

    It is the tenth percentile of the slices. Half of a slice through the dome of the liver may be
    lung, but a scan of the abdomen has slices below, without any; in one of the chest alone every
    slice shows it.

    Args:
        array: (I, J, K), HU, slices across the last axis.
    """
    stride = max(1, min(array.shape[:2]) // MOST_LINES)
    slices = array[::stride, ::stride, :: max(1, array.shape[2] // MOST_LINES)]
    lung = ((slices > LUNG_HU[0]) & (slices < LUNG_HU[1])).sum((0, 1))
    body = (slices > BODY_HU).sum((0, 1)) + lung
    return float(np.percentile(lung / np.maximum(body, 1), 10))


def sample(array: np.ndarray) -> np.ndarray:
    """At most about `MOST_VOXELS` values of (C, *spatial), spread evenly, flat."""
    stride = max(1, int(np.ceil((array.size / MOST_VOXELS) ** (1 / max(array.ndim - 1, 1)))))
    places = [slice(None)] + [slice(None, None, stride)] * (array.ndim - 1)
    return array[tuple(places)].ravel()
