"""Label maps: tell a map of classes or objects from an image, by its values alone."""

import numpy as np

from medseg.plausibility.voxel_values import take_sample

FEW_VALUES = 8
"""So few values are doubtful in an image: a scan of a patient has hundreds,
the darkest picture of nuclei 30. Its crops of 32 pixels have 3 and more."""

MANY_VALUES = 1000
"""More values than this are not looked at any further: they are measurements."""

EQUAL_NEIGHBOURS = 0.6
"""A label map is constant within its regions. Of the pairs of neighbours that are not both of the
commonest value, so large a share is equal in one: 0.73 and more in the masks of hippocampus,
nuclei, livers, tumours and whole bodies that were measured. Images have 0.47 and less, but dark
pictures of JPEG 0.88 and enlarged ones 0.94. Counted along whole lines."""

EQUAL_OF_FEW = 0.4
"""The share that is enough in `FEW_VALUES`, since small objects are mostly edge: 0.33 and less in
crops of the darkest pictures."""

LEAST_JUMP = 0.2
"""Where neighbours differ, a label map jumps: the places of their values, in the list of all that
occur, are this share of the list apart on average. Measured were 0.37 and more in label maps, and
0.05 and less in pictures, JPEG and enlarged ones included, which go from value to value nearby."""

MOST_PIXELS = 2**18
"""Pixels of the lines that are looked at, spread over those that are not constant."""


def describe_label_map(array: np.ndarray) -> str | None:
    """Say what shows that an array is a label map for certain; None for an image, or in doubt.

    An array of one value is an empty image. Negative values may mark what is ignored.
    Whole numbers are not asked for, since a scaled map and one stored in floats are maps too.

    Args:
        array: (C, I, J) or (C, I, J, K); several channels, as of a mask in colours, count together.

    Example:
        >>> describe_label_map(np.tile([0, 1], 50).reshape(1, 10, 10))
        '2 values from 0 to 1'
    """
    lines = _sample(array)
    if lines.size == 0:
        return None
    codes, count = _make_codes(lines)
    words = f"{count} values from {lines.min() + 0:g} to {lines.max() + 0:g}"
    if count == 2 and lines.min() == 0:
        return words
    if not 2 <= count <= MANY_VALUES:
        return None
    least = EQUAL_OF_FEW if count <= FEW_VALUES else EQUAL_NEIGHBOURS
    is_map = _measure_equal_share(codes) >= least and _measure_jump(lines) >= LEAST_JUMP
    return words if is_map else None


def describe_few_values(array: np.ndarray) -> str | None:
    """Say how few values there are where they are doubtful in an image, see `FEW_VALUES`.

    Args:
        array: (C, I, J) or (C, I, J, K). One of a single value is not judged.

    Example:
        >>> describe_few_values(np.arange(100).reshape(1, 10, 10) % 5)
        '5 values from 0 to 4'
    """
    found = np.unique(take_sample(array))
    if not 2 <= len(found) <= FEW_VALUES:
        return None
    return f"{len(found)} values from {found[0]:g} to {found[-1]:g}"


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


def _make_codes(lines: np.ndarray) -> tuple[np.ndarray, int]:
    """The values of each pixel as one number, (n, J), from 0 on, and how many occur."""
    codes = np.zeros(lines.shape[1:], dtype=np.int64)
    count = 1
    for channel in lines:
        values, each = np.unique(channel, return_inverse=True)
        joined = codes * len(values) + each.reshape(codes.shape)
        found, numbers = np.unique(joined, return_inverse=True)
        codes, count = numbers.reshape(codes.shape), len(found)
    return codes, count


def _measure_equal_share(codes: np.ndarray) -> float:
    """Of the neighbours in a line that are not both of the commonest value, the share that are
    equal; 0 where there are none."""
    commonest = np.bincount(codes.ravel()).argmax()
    one, other = codes[:, 1:], codes[:, :-1]
    counted = (one != commonest) | (other != commonest)
    pairs = np.count_nonzero(counted)
    return np.count_nonzero(counted & (one == other)) / pairs if pairs else 0.0


def _measure_jump(lines: np.ndarray) -> float:
    """How far apart the values of neighbours that differ are, as a mean share of the list of all
    values, (C, n, J); of the channels the one that differs most."""
    apart = np.zeros((lines.shape[1], lines.shape[2] - 1))
    for channel in lines:
        values, places = np.unique(channel, return_inverse=True)
        steps = np.abs(np.diff(places.reshape(channel.shape), axis=1))
        apart = np.maximum(apart, steps / max(len(values) - 1, 1))
    differ = apart > 0
    return float(apart[differ].mean()) if differ.any() else 0.0
