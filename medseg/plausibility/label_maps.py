"""Label maps: tell a map of classes or objects from an image, by its values alone."""

import numpy as np

FEW_VALUES = 8
"""So few values that are not negative are a mask or label map wherever they lie: the darkest
picture of `shared/data/nuclei` has 30, and a scan of a patient hundreds."""

MANY_VALUES = 1000
"""More values than this are not looked at any further: they are measurements."""

EQUAL_NEIGHBOURS = 0.6
"""A label map is constant within its regions. Of the pairs of neighbours that are not both of the
commonest value, so large a share is equal in one: 0.73 and more in the masks of hippocampus,
nuclei, livers, tumours and whole bodies that were measured, 0.47 and less in all images, dark
fluorescence of 8 bits included. Counted along whole lines, where neighbours are neighbours."""

MOST_PIXELS = 2**18
"""Pixels of the lines that are looked at, spread over those that are not constant."""


def describe_label_map(array: np.ndarray) -> str | None:
    """Say what shows that an array is a label map; None for an image.

    Values that are negative are none of a label map, and an array of one value is an empty image.
    Whole numbers are not asked for, since a scaled map and one stored in floats are maps too.

    Args:
        array: (C, I, J) or (C, I, J, K); several channels, as of a mask in colours, count together.

    Example:
        >>> describe_label_map(np.arange(2).repeat(50).reshape(1, 10, 10))
        '2 values from 0 to 1'
    """
    lines = _sample(array)
    if lines.size == 0 or lines.min() < 0:
        return None
    codes, count = _codes(lines)
    if not 2 <= count <= MANY_VALUES:
        return None
    if count > FEW_VALUES and _equal_share(codes) < EQUAL_NEIGHBOURS:
        return None
    return f"{count} values from {lines.min():g} to {lines.max():g}"


def _sample(array: np.ndarray) -> np.ndarray:
    """Some lines (C, n, J) along the third axis, of those that hold more than one value."""
    if array.ndim == 3:
        array = array[..., None]
    channels, _, length, _ = array.shape
    if length < 2:
        return np.zeros((channels, 0, length), array.dtype)
    varied = array.min(axis=(0, 2)) < array.max(axis=(0, 2))
    row, place = np.nonzero(varied)
    step = -(-len(row) * length // MOST_PIXELS) or 1
    return array[:, row[step // 2 :: step], :, place[step // 2 :: step]].swapaxes(0, 1)


def _codes(lines: np.ndarray) -> tuple[np.ndarray, int]:
    """The values of each pixel as one number, (n, J), from 0 on, and how many occur."""
    codes = np.zeros(lines.shape[1:], dtype=np.int64)
    count = 1
    for channel in lines:
        values, each = np.unique(channel, return_inverse=True)
        joined = codes * len(values) + each.reshape(codes.shape)
        found, numbers = np.unique(joined, return_inverse=True)
        codes, count = numbers.reshape(codes.shape), len(found)
    return codes, count


def _equal_share(codes: np.ndarray) -> float:
    """Of the neighbours in a line that are not both of the commonest value, the share that are
    equal; 0 where there are none."""
    commonest = np.bincount(codes.ravel()).argmax()
    one, other = codes[:, 1:], codes[:, :-1]
    counted = (one != commonest) | (other != commonest)
    pairs = np.count_nonzero(counted)
    return np.count_nonzero(counted & (one == other)) / pairs if pairs else 0.0
