"""Window: the range of intensities that a network sees, its low end below its high end."""

import math
from collections.abc import Sequence

from medseg.base.arguments import is_number


def window(window_hu: Sequence[float]) -> tuple[float, float]:
    """The low and high end of a window in HU, which scaling maps to 0 and 1.

    Raises:
        TypeError: not a list of two numbers.
        ValueError: an end is not finite, or the low end is not below the high end.

    Example:
        >>> window([-160, 240])
        (-160.0, 240.0)
    """
    if (
        not isinstance(window_hu, list | tuple)
        or len(window_hu) != 2
        or not all(map(is_number, window_hu))
    ):
        raise TypeError(
            f"window_hu must be two numbers, low and high, got {window_hu!r}: pass [-160, 240]"
        )
    low, high = map(float, window_hu)
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            f"window_hu must be finite with its low end below its high end, got {window_hu!r}: "
            "pass for instance [-160, 240]"
        )
    return low, high
