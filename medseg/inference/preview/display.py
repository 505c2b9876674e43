"""Display: which values of an image a preview draws black and white, and how it says so."""

from collections.abc import Sequence

import numpy as np

_WHITE = 255
_BRIGHTEST = 99.9
_DRAWN_PERCENTILES = (1, 99)


def measure_limits(
    image: np.ndarray,
    *,
    window: Sequence[float] | None = None,
    percentiles: Sequence[float] | None = None,
) -> tuple[float, float]:
    """The values of a volume that are drawn black and white.

    Args:
        image: any numbers.
        window: the two values themselves.
        percentiles: of the image, where there is no window. Without either, its lowest and highest
            value.

    Example:
        >>> measure_limits(np.arange(101), percentiles=[1, 99])
        (1.0, 99.0)
    """
    if window is not None:
        black, white = window
    else:
        black, white = np.percentile(image, percentiles or (0, 100))
    return float(black), float(white)


def describe_window(
    limits: tuple[float, float], *, percentiles: Sequence[float] | None = None, unit: str = ""
) -> str:
    """The window of a volume in words, of a CT also as radiologists name it.

    Example:
        >>> describe_window((-160, 240), unit="HU")
        'window -160 to 240 HU (W 400, L 40)'
        >>> describe_window((12, 845.5), percentiles=[1, 99])
        'window 12 to 845.5 (percentiles 1 to 99 of the image)'
    """
    black, white = limits
    text = f"window {black:.5g} to {white:.5g}"
    if unit:
        return f"{text} {unit} (W {white - black:.5g}, L {(white + black) / 2:.5g})"
    if percentiles is not None:
        low, high = percentiles
        return f"{text} (percentiles {low:g} to {high:g} of the image)"
    return f"{text} (all values of the image)"


def measure_picture_range(pixels: np.ndarray) -> tuple[float, float]:
    """The values of a picture that are drawn black and white, see `WritePicturePreviewd`."""
    if pixels.max(initial=0) <= _WHITE:
        return 0.0, float(np.percentile(pixels, _BRIGHTEST))
    low, high = np.percentile(pixels, _DRAWN_PERCENTILES)
    return float(low), float(high)


def describe_picture_range(low: float, high: float) -> str:
    """The range of a picture in words.

    Example:
        >>> describe_picture_range(0, 231)
        'values from 0 (black) to 231 (white), orientation as in the file'
    """
    return f"values from {low:.5g} (black) to {high:.5g} (white), orientation as in the file"
