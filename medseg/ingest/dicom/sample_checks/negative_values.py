"""Negative values: values of MR and PET that are really high, because a sign is stated wrongly.

Stored values above half of what BitsStored holds are negative where a sign is stated. They lie at
the lowest end then, with nothing between them and zero, or all values go on from the highest to the
lowest. Values that are truly negative, of phase or of noise, go on through zero.
"""

from __future__ import annotations

import numpy as np

from medseg.ingest.dicom.header.slice import Slice

LEAST_BITS = 12
"""With fewer bits than this, all values may occur."""

MOST_OF_PHASE = 12
"""With at most this many bits, phase images have all values, whatever ImageType says."""

LEAST_DISTINCT = 4
"""Fewer distinct values than this may be padding, or saturated."""

LEAST_GAP_BELOW_ZERO, NEAR_BOTH_ENDS = 1 / 4, 1 / 32
"""Parts of half the range: high values lie this far below zero, or this near to both ends."""

MOST_BELOW_ZERO = 1 / 2
"""PET values go no further below zero than this part of the highest value."""

_SIGNED_TYPES = frozenset(
    ("P", "PHASE", "PHASE MAP", "VELOCITY MAP", "R", "REAL", "I", "IMAGINARY")
)
"""Values of ImageType. Such images have values on both sides of zero."""


def describe_too_negative(values: np.ndarray, header: Slice) -> str:
    """Say which stored values may really be high values; "" where none are.

    Args:
        values: distinct samples of a series in ascending order, without padding.
        header: of one of its slices. Nothing is said where no sign is stated, or where an intercept
            lifts the values.

    Example:
        >>> describe_too_negative(np.arange(-20000, -15000), header)  # doctest: +SKIP
        'values from -20000 to -15001 may really be high values: the header calls samples signed'
    """
    is_stated = header.pixel_representation == 1 and header.bits_stored >= LEAST_BITS
    negative = values[values < 0]
    if not is_stated or header.rescale[1] > 0 or negative.size < LEAST_DISTINCT:
        return ""
    lowest, highest = int(values[LEAST_DISTINCT - 1]), int(values[-1])
    if _is_apart(negative, header) or _is_round(values, header):
        found = f"values from {int(negative[0])} to {int(negative[-1])} may really be high values"
        return f"{found}: the header calls samples signed"
    if header.kind == "PT" and lowest < -MOST_BELOW_ZERO * max(0, highest):
        return f"stored values of PET from {lowest} to {highest} go far below zero"
    return ""


def _is_apart(negative: np.ndarray, header: Slice) -> bool:
    return bool(negative[-1] <= -LEAST_GAP_BELOW_ZERO * 2 ** (header.bits_stored - 1))


def _is_round(values: np.ndarray, header: Slice) -> bool:
    """Whether values lie at both ends of the range of BitsStored, as if it continued there."""
    if header.bits_stored <= MOST_OF_PHASE:
        return False
    half = 2 ** (header.bits_stored - 1)
    low = np.count_nonzero(values < -half * (1 - NEAR_BOTH_ENDS))
    high = np.count_nonzero(values >= half * (1 - NEAR_BOTH_ENDS))
    return bool(min(low, high) >= LEAST_DISTINCT) and not _SIGNED_TYPES & set(header.image_type)
