"""Window: the range of intensities that a network sees, its low end below its high end.

The configs of bundles call it by this name, so it has a file of its own.
"""

from collections.abc import Sequence

from medseg.base.arguments import check_window


def window(window_hu: Sequence[float]) -> tuple[float, float]:
    """The low and high end of a window in HU, which scaling maps to 0 and 1.

    Raises:
        TypeError: not a list of two numbers.
        ValueError: an end is not finite, or the low end is not below the high end.

    Example:
        >>> window([-160, 240])
        (-160.0, 240.0)
    """
    return check_window(window_hu)
