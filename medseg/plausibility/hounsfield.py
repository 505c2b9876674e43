"""Hounsfield: whether values can be Hounsfield units.

Limits are far from what scans were measured to have: 3D-IRCADb-01, LIDC-IDRI, and single series of
chest, abdomen, head and thin stacks.
"""

import numpy as np

from medseg.plausibility.voxel_values import BODY_ABOVE_HU, TISSUE_ABOVE_HU, take_sample

FAT_HU = -50
"""Fat lies from -120 to -60 HU and air at -1000. Scans hold 38 % and more below -50 HU, and a crop
inside the body its fat; magnetic resonance, pictures and label maps hold none."""

LEAST_FAT_AND_AIR = 0.005

TISSUE_HU = (TISSUE_ABOVE_HU, 300)
"""Fat, water, organs, blood with contrast agent. Scans hold 26 % and more."""

LEAST_TISSUE = 0.005

DENSE_HU = 700
"""Only bone and metal are denser: 11 % of what is no air, at most. Stored values without their
intercept of -1024 lie there as a whole."""


MOST_DENSE = 0.4

AIR_HU = (-1100, -850)
LEAST_AIR = 0.02
"""What a scan is known by where none is expected: air beside soft tissue. One that was cropped
inside the body has no air and is not known."""


SURROUNDING_HU = (-1250, -750)
"""Air around a body, also where a scan is shifted by 200 HU. Lower is padding, of one value."""

LEAST_BELOW_AIR = 0.02
"""Of values that are lower than air, and not of the one value of padding."""

PLAIN = 0.05
"""Air is so plain: in the corners of a scan its quartiles, and their medians, are 0.03 and less
apart, as a part of the span of values. Organs and fat are 0.07 and more."""

MOST_ABOVE_CLIPPED = 0.02
"""Where values were clipped, as to -160 and 240 HU, hardly any is just above the lowest: 0.005 and
less. Where air was scaled, its noise is there: 0.1 and more."""

BODY_MEDIAN_HU = (-110, 130)
"""The median of what is no air, lung or padding: -46 to 49 in scans and phantoms measured. Fat
moves it down, contrast agent up."""

LEAST_SURROUNDING = 0.1
"""Of a scan that shows the body from outside, so much is air or lung. A crop has another median."""

LEAST_NEGATIVE = 0.001
"""A share: MR has no negative values, but for a few where it was interpolated."""

AIR_LIKE_HU = 600
"""Where the sign of values is exchanged, air lies higher than this, and plain. Contrast agent in
large vessels is seldom so dense, and bone has values all over."""

AIR_LIKE_WIDTH = 250
"""HU, of the band in which air lies where the sign is exchanged."""

LEAST_AIR_LIKE = 0.6
"""Of what is above `BRIGHT_HU`, the share in one such band: 0.14 and less in scans that were
measured, and 0.84 and more in the same scans with their sign exchanged."""

BRIGHT_HU = 300
LEAST_BRIGHT_BAND = 0.02
"""Of all values, the share in that band. Of less nothing is concluded."""

BRIGHT_CORNERS_HU = 200
"""Plain corners of a scan show air, and are never so bright."""

LEAST_CEILING_HU, LEAST_AT_CEILING = 100, 0.15
"""Where values were clipped, air is the lowest of them, and of the highest are bone and vessels
alone."""

SOFT_HU = (20, 80)
"""Muscle and organs. Scans hold 1.3 to 9 times as much there as from -80 to -20 HU, between fat and
water; where the sign is exchanged, it is the other way round."""

MOST_MIRRORED = 1.5
ENHANCED_HU = 200
"""Up to here are organs with contrast agent, and where there are many, fat beside them proves
nothing."""

EIGHT_BITS = (-128, 127)

FEW_VALUES = 8
"""A scan of a patient has hundreds of values."""

MANY_VOXELS = 2**15
"""In so many voxels there are more than `FEW_VALUES`."""


OFFSET = 1024
"""What is often added to Hounsfield units, so that no stored value is negative."""

LEAST_SHIFTED_TISSUE = 0.7
"""Of what is no air or lung, the share of soft tissue where `OFFSET` was added: 0.8 and more in
scans. In magnetic resonance, values are spread."""

LUNG_BELOW_HU = -600
_HINT_OFFSET = f"they are like those of a CT to which {OFFSET} was added: subtract {OFFSET}"


def explain_not_hounsfield(array: np.ndarray) -> str | None:
    """Say why values cannot be Hounsfield units; None where they can.

    Args:
        array: (C, *spatial). A constant one passes: there is nothing to be judged by.
    """
    values = take_sample(array)
    least, most = float(values.min()), float(values.max())
    if least == most:
        return None
    span = f"its values go from {least:g} to {most:g}"
    if np.mean(values < FAT_HU) < LEAST_FAT_AND_AIR:
        hint = f" ({_HINT_OFFSET})" if _is_shifted(values) else ""
        return f"{span} and almost none is below {FAT_HU}, where air and fat are{hint}"
    if np.mean((values > TISSUE_HU[0]) & (values < TISSUE_HU[1])) < LEAST_TISSUE:
        low, high = TISSUE_HU
        return f"{span} and almost none is from {low} to {high}, where soft tissue is"
    if why := _explain_inverted(values):
        return why
    body = values[values > BODY_ABOVE_HU]
    if np.mean(body > DENSE_HU) > MOST_DENSE:
        share = f"{np.mean(body > DENSE_HU):.0%}"
        return f"{span} and {share} of what is not air is above {DENSE_HU}, where only bone is"
    if array.size >= MANY_VOXELS and (few := len(np.unique(values))) <= FEW_VALUES:
        return f"it holds only {few} different values"
    if array.size >= MANY_VOXELS and (array.min(), array.max()) == EIGHT_BITS:
        return f"{span}, which is the range of 8 bits; bone and air lie beyond it"
    return _explain_no_air(array, values) if array.ndim == 4 else None


def describe_hounsfield_doubts(array: np.ndarray) -> str | None:
    """Say what is unlikely of a whole scan, (C, I, J, K); None of crops and slices.

    Example:
        >>> import numpy as np
        >>> body = np.pad(np.full((1, 30, 30, 40), 240.0), ((0, 0), (9, 9), (9, 9), (0, 0)),
        ...               constant_values=-800)
        >>> describe_hounsfield_doubts(body)
        'the median of the body is 240 HU, where -110 to 130 are usual: values may be shifted'
    """
    values = take_sample(array)
    if array.ndim != 4 or array.size < MANY_VOXELS:
        return None
    if doubt := _describe_sign_doubts(values):
        return doubt
    body = values[values > TISSUE_ABOVE_HU]
    if np.mean(values < BODY_ABOVE_HU) < LEAST_SURROUNDING or not body.size:
        return None
    median, (low, high) = float(np.median(body)), BODY_MEDIAN_HU
    if low <= median <= high:
        return None
    return (
        f"the median of the body is {median:.0f} HU, where {low} to {high} are usual: values "
        "may be shifted"
    )


def looks_like_hounsfield(array: np.ndarray) -> bool:
    """Whether values that should be others may be those of a CT without air: whole numbers with
    negative ones among them, and a median as of soft tissue."""
    values = take_sample(array)
    is_whole = bool((values == np.round(values)).all())
    negative = float(np.mean(values < 0))
    return is_whole and negative > LEAST_NEGATIVE and abs(float(np.median(values))) < TISSUE_HU[1]


def is_scan_in_hounsfield(array: np.ndarray) -> bool:
    """Whether values that should be others are those of a CT: air beside soft tissue."""
    values = take_sample(array)
    air = np.mean((values > AIR_HU[0]) & (values < AIR_HU[1]))
    tissue = np.mean((values > TISSUE_HU[0]) & (values < TISSUE_HU[1]))
    return bool(air >= LEAST_AIR and tissue >= 10 * LEAST_TISSUE)


def _is_shifted(values: np.ndarray) -> bool:
    """Whether values are those of a CT with air and soft tissue, to which `OFFSET` was added."""
    moved = values.astype(np.float64) - OFFSET
    body = moved[moved > LUNG_BELOW_HU]
    if not body.size or not is_scan_in_hounsfield(moved[None]):
        return False
    low, high = -150, TISSUE_HU[1]  # with fat
    return bool(np.mean((body > low) & (body < high)) > LEAST_SHIFTED_TISSUE)


def _explain_inverted(values: np.ndarray) -> str | None:
    """Say why what is bright can only be air, as where the sign is exchanged; None where it can
    be bone."""
    bright = np.sort(values[values > BRIGHT_HU])
    dense = bright[bright > AIR_LIKE_HU]
    if dense.size < LEAST_BRIGHT_BAND * values.size:
        return None
    starts = dense[:: max(1, dense.size // 1000)]
    counts = np.searchsorted(dense, starts + AIR_LIKE_WIDTH) - np.searchsorted(dense, starts)
    most, start = int(counts.max()), float(starts[counts.argmax()])
    air = np.count_nonzero(values < AIR_HU[1])
    if most < max(LEAST_AIR_LIKE * bright.size, LEAST_BRIGHT_BAND * values.size, 10 * air):
        return None
    return (
        f"{most / values.size:.0%} of its values lie from {start:.0f} to "
        f"{start + AIR_LIKE_WIDTH:.0f} and almost none below {AIR_HU[1]}, and air is at -1000: "
        f"the sign of its values is inverted, or bright and dark are exchanged"
    )


def _describe_sign_doubts(values: np.ndarray) -> str | None:
    """Say what speaks for values whose sign is exchanged; None where nothing does."""
    low, high = SOFT_HU
    soft = float(np.mean((values > low) & (values < high)))
    mirrored = float(np.mean((values > -high) & (values < -low)))
    enhanced = float(np.mean((values >= high) & (values < ENHANCED_HU)))
    if mirrored > max(MOST_MIRRORED * soft, enhanced, LEAST_TISSUE):
        return (
            f"{mirrored:.0%} of its values lie from {-high} to {-low} HU and {soft:.0%} from {low} "
            f"to {high} HU, where muscle and organs are: the sign of its values may be inverted"
        )
    most = float(values.max())
    above, below = np.mean(values == most), np.mean(values == values.min())
    if most > LEAST_CEILING_HU and above > max(LEAST_AT_CEILING, 2 * below):
        return (
            f"{above:.0%} of its values are the highest, {most:g}, where only bone and vessels "
            "are: the sign of its values may be inverted"
        )
    return None


def _explain_no_air(array: np.ndarray, values: np.ndarray) -> str | None:
    """Say why what surrounds the body cannot be air; None where it can, or the body fills all."""
    least = values.min()
    low, high = SURROUNDING_HU
    if np.mean((values < low) & (values > least)) > LEAST_BELOW_AIR:
        return f"many values are below {low}, and air is at -1000"
    dark, bright = np.percentile(values, (1, 99))
    near = max(PLAIN * (bright - dark), 1e-6)
    width = max(1, min(array.shape[1:3]) // 40)
    ends = (slice(None, width), slice(-width, None))
    quartiles = [np.percentile(array[0][i, j], (25, 50, 75)) for i in ends for j in ends]
    levels = [float(quartile[1]) for quartile in quartiles]
    plain = all(quartile[2] - quartile[0] < near for quartile in quartiles)
    if not plain or max(levels) - min(levels) > near:
        return None
    if levels[0] > BRIGHT_CORNERS_HU and array.size >= MANY_VOXELS:
        return f"what surrounds the body is at {levels[0]:.0f}, and air is at -1000"
    if not high < levels[0] < FAT_HU:
        return None
    if np.mean(values < levels[0] - near) > LEAST_BELOW_AIR:
        return None
    above = np.mean((values > least) & (values < least + 0.8 * near))
    if np.mean(values == least) > 5 * MOST_ABOVE_CLIPPED and above < MOST_ABOVE_CLIPPED:
        return None
    return f"what surrounds the body is at {levels[0]:.0f}, and air is at -1000"
