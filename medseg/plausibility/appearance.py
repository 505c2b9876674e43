"""Appearance: what pictures and MR look like, compared with each single training case.

Ranges say little where a training set holds several kinds, as dark pictures of fluorescence beside
bright ones of stained tissue: a picture of medium brightness lies within them and is like none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WARN_DISTANCE, REFUSE_DISTANCE = 1.5, 2.5
"""Distances from the nearest training case, see `find_nearest`. Of 215 pictures of nuclei (Data
Science Bowl 2018) that were not trained on, 4 are beyond 1.5 and none beyond 2.1; of 400 brain MR,
slices of CT and electron micrographs all are beyond 1.5 and half of them beyond 3. Of 220 MR of the
hippocampus none is beyond 0.5."""

ENOUGH_CASES = 50
"""Fewer training cases do not show how much images of their kind vary: nothing is refused then."""

LEAST_SIDE, LEAST_SIDE_OF_VOLUME = 128, 16
"""Pixels or voxels of the shortest side; a smaller crop may show a detail alone, and is not
refused."""

LEAST_CONTRAST = 16
"""Grey values from percentile 1 to 99: a picture of less is blank but for noise."""

MOST_LINES = 256
"""Lines of a picture that are looked at along each axis, about."""

_MOST = (MOST_LINES, MOST_LINES, 32)  # of a volume so many planes
_DARK_MEDIAN_BRIGHT = (1, 50, 99)
_BORDER = 3  # pixels
_ENDS_OF_SKEW = (-3.0, 5.0)


@dataclass(frozen=True)
class Feature:
    """What is measured of an image, and how much of it is the distance 1.

    Attributes:
        words: what it is, as a message names it.
        scale: the difference that is the distance 1; of a likeness, in powers of 2 of unlikeness.
        is_likeness: a correlation, where 0.98 and 0.99 are as far apart as 0.8 and 0.9.
    """

    words: str
    scale: float
    is_likeness: bool = False


FEATURES = {
    "median": Feature("the median brightness (0 is its darkest, 1 its brightest)", 0.15),
    "border": Feature("the brightness at its border (0 is its darkest, 1 its brightest)", 0.2),
    "likeness_1": Feature("how alike neighbouring pixels are (at most 1)", 1.0, True),
    "likeness_4": Feature("how alike pixels are that lie 4 apart (at most 1)", 1.0, True),
    "likeness_16": Feature("how alike pixels are that lie 16 apart (at most 1)", 0.6, True),
    "darkest": Feature("the share of pixels that have its darkest value", 0.1),
    "skewness": Feature("the skewness of its values", 1.0),
    "saturation": Feature("the strength of its colours (0 is grey, at most 1)", 0.15),
    "red": Feature("its red minus its blue (each as a share of all its colour)", 0.1),
    "green": Feature("its green minus its other colours (each as a share of all)", 0.1),
}


def has_appearance(ndim: int, modality: str) -> bool:
    """Whether images, (C, *spatial), are compared so: pictures, and volumes of MR."""
    return ndim == 3 or modality == "MR"


def measure_appearance(array: np.ndarray) -> dict[str, float]:
    """The features of an image, see `FEATURES`; none of one that is blank.

    Args:
        array: (C, I, J) or (C, I, J, K), as read. Three channels are red, green and blue of 0 to
            255.
    """
    if array.size == 0:
        return {}
    rows, columns = _take_lines(array)
    dark, median, bright = (float(v) for v in np.percentile(rows, _DARK_MEDIAN_BRIGHT))
    span = bright - dark
    if span <= (LEAST_CONTRAST if array.ndim == 3 else 0):
        return {}
    darkest = float(np.mean(rows == rows.min()))
    rows, columns = (np.clip((lines - dark) / span, 0, 1) for lines in (rows, columns))
    border = [
        lines[end] for lines in (rows, columns) for end in (np.s_[:_BORDER], np.s_[-_BORDER:])
    ]
    found = {
        "median": (median - dark) / span,
        "border": float(np.median(np.concatenate([part.ravel() for part in border]))),
        **{f"likeness_{n}": (_correlate(rows, n) + _correlate(columns, n)) / 2 for n in (1, 4, 16)},
        "darkest": darkest,
        "skewness": float(np.mean((rows - rows.mean()) ** 3) / rows.std() ** 3),
        **(_measure_colours(array) if len(array) == 3 else {}),
    }
    return {name: value for name, value in found.items() if not np.isnan(value)}


def find_nearest(
    measured: Mapping[str, float], cases: Sequence[Mapping[str, float]]
) -> tuple[float, str, Mapping[str, float]] | None:
    """The distance from the nearest case, the feature in which it differs most, and that case.

    The distance is Euclidean, of differences in units of `Feature.scale`; features that one side
    lacks are left out. None where nothing can be compared.

    Example:
        >>> find_nearest({"median": 0.5}, [{"median": 0.2}, {"median": 0.8}])[0].__round__(3)
        2.0
    """
    names = [n for n in FEATURES if n in measured and any(n in case for case in cases)]
    if not names:
        return None
    here = np.array([_scale(name, measured[name]) for name in names])
    there = np.array([[_scale(n, case.get(n, measured[n])) for n in names] for case in cases])
    apart = np.abs(there - here)
    distances = np.sqrt(np.square(apart).sum(axis=1))
    at = int(distances.argmin())
    return float(distances[at]), names[int(apart[at].argmax())], cases[at]


def explain_unlikeness(
    measured: Mapping[str, float], cases: Sequence[Mapping[str, float]], *, shape: Sequence[int]
) -> tuple[str | None, bool]:
    """Say how an image differs from all training cases, and whether so much that it is refused.

    Args:
        measured: see `measure_appearance`.
        cases: likewise, of the training.
        shape: of the image, (*spatial).
    """
    found = find_nearest(measured, cases)
    if found is None or found[0] <= WARN_DISTANCE:
        return None, False
    distance, name, case = found
    is_refused = distance > REFUSE_DISTANCE and len(cases) >= ENOUGH_CASES
    words = (
        f"it does not look like any of the {len(cases)} images that the network was trained on; "
        f"the largest difference is {FEATURES[name].words}: {measured[name]:.2f} here, "
        f"{case[name]:.2f} in the most similar training image"
    )
    least = LEAST_SIDE if len(shape) == 2 else LEAST_SIDE_OF_VOLUME
    return words, is_refused and min(shape) >= least


def _scale(name: str, value: float) -> float:
    feature = FEATURES[name]
    if feature.is_likeness:
        value = float(np.log2(1.002 - min(value, 1.0)))
    elif name == "skewness":
        value = float(np.clip(value, *_ENDS_OF_SKEW))
    return value / feature.scale


def _take_lines(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole lines along each of the first two axes, (length, n), channels as their mean."""
    strides = [max(1, length // most) for length, most in zip(array.shape[1:], _MOST, strict=False)]
    planes = array[..., :: strides[2]] if array.ndim == 4 else array
    along = planes[:, :, :: strides[1]], planes[:, :: strides[0]].swapaxes(1, 2)
    rows, columns = (part.mean(axis=0, dtype=np.float64) for part in along)
    return rows.reshape(len(rows), -1), columns.reshape(len(columns), -1)


def _correlate(lines: np.ndarray, step: int) -> float:
    """The correlation of values so many places apart in lines, (length, n)."""
    one, other = lines[step:].ravel(), lines[:-step].ravel()
    if len(lines) < 2 * step + 1 or one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def _measure_colours(array: np.ndarray) -> dict[str, float]:
    stride = max(1, min(array.shape[1:]) // MOST_LINES)
    thin = array[:, ::stride, ::stride].astype(float)
    red, green, blue = thin.reshape(3, -1).mean(axis=1)
    total = red + green + blue + 1  # one grey value in a black picture is no colour
    return {
        "saturation": float((thin.max(axis=0) - thin.min(axis=0)).mean() / 255),
        "red": float((red - blue) / total),
        "green": float((green - (red + blue) / 2) / total),
    }
