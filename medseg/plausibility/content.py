"""Content: whether an image shows anything at all, or one value, or noise alone."""

import numpy as np

LEAST_VALUES = 2**15
"""Fewer pixels or voxels than this are not judged: a small crop may be of one value."""

LEAST_LIKENESS = 0.1
"""The correlation of neighbours in an image: 0.67 and more in volumes and pictures that were
measured, crops inside an organ included. In noise it is 0."""

MOST_LINES = 64
"""Lines that are compared along each further axis, about."""


def explain_no_content(array: np.ndarray) -> str | None:
    """Say why an image shows nothing; None where it shows something, or is too small to say.

    Args:
        array: (C, I, J) or (C, I, J, K), finite. Of channels, one that shows something is enough.

    Example:
        >>> explain_no_content(np.zeros((1, 200, 200)))
        'every value is 0'
    """
    if array[0].size < LEAST_VALUES:
        return None
    least = float(array.min())
    if least == float(array.max()):
        return f"every value is {least:g}"
    likeness = max(_correlate(channel, axis) for channel in array for axis in (0, 1))
    if likeness < LEAST_LIKENESS:
        return f"it is noise: the correlation of neighbours is {likeness:.2f}"
    return None


def _correlate(channel: np.ndarray, axis: int) -> float:
    """The correlation of neighbours along an axis of (I, J) or (I, J, K); 1 where it is unknown."""
    if channel.shape[axis] < 2:
        return 1.0
    steps = [max(1, length // MOST_LINES) for length in channel.shape]
    steps[axis] = 1
    lines = channel[tuple(slice(None, None, step) for step in steps)].astype(float)
    one, other = np.delete(lines, 0, axis).ravel(), np.delete(lines, -1, axis).ravel()
    if one.std() == 0 or other.std() == 0:
        return 1.0
    return float(np.corrcoef(one, other)[0, 1])
