"""Padding: which values of a CT slice mean that nothing was measured there."""

from __future__ import annotations

import numpy as np

from medseg.ingest.dicom.slice import Slice

TISSUE_HU = (-950.0, 3071.0)
"""Between these a CT value is tissue, from emphysema to the end of the usual 12 bits.

Padding is below or above: beyond the reach of what was measured.
"""


def padding_in_tissue(header: Slice) -> tuple[float, float] | None:
    """Lowest and highest value in HU that a CT slice calls padding, where tissue has such values.

    None where it states no padding, or one outside `TISSUE_HU`, as it should be. What is known here
    is the range alone; the voxels are not read.

    Example:
        >>> padding_in_tissue(header)  # PixelPaddingValue 1024, intercept -1024  # doctest: +SKIP
        (0.0, 0.0)
    """
    if header.rescaled_kind != "CT" or header.padding is None:
        return None
    kind = "i" if header.pixel_representation else "u"
    stored = np.array(header.padding).astype(f"{kind}{header.bits_allocated // 8}")
    slope, intercept = header.rescale
    low, high = sorted(float(value) * slope + intercept for value in stored)
    is_empty = stored[0] > stored[1]  # its ends were of another sign
    return None if is_empty or high <= TISSUE_HU[0] or low >= TISSUE_HU[1] else (low, high)
