"""Compare: which of the measured quantities lie outside of what a network was trained on."""

import math
from collections.abc import Iterator, Mapping, Sequence

from medseg.plausibility.quantities import (
    OF_CLASS,
    OF_IMAGE,
    REFUSE_WIDTHS,
    WARN_WIDTHS,
    Quantity,
)

_DIRECTIONS = {
    "place_1": ("farther to the patient's left", "farther to the patient's right", "width"),
    "place_2": ("farther to the back", "farther to the front", "depth"),
    "place_3": ("lower", "higher", "height"),
}

_SCALED = ("longest_mm", "voxel_mm")

MOST_TIMES = 2.0
"""Times that both of `_SCALED` are beyond what was trained on in an image of another size."""

MOST_BESIDE = 0.01
"""Of an organ, the share outside its largest part that is no doubt: specks."""


def compare_image(
    measured: Mapping[str, float], ranges: Mapping[str, Sequence[float]]
) -> tuple[list[str], list[str]]:
    """What contradicts and what is at the margin, in words; quantities of one side are left out.

    Example:
        >>> compare_image({"longest_mm": 240}, {"longest_mm": [47, 63]})[0]
        ['the longest side of the image is 240 mm, in training it was 47 to 63 mm']
    """
    refusals, warnings = [], []
    for name, (low, high) in ranges.items():
        quantity = OF_IMAGE.get(name)
        if quantity is None or name not in measured:
            continue
        value = measured[name]
        words = f"{quantity.words} is {_compare_with_training(value, low, high, quantity)}"
        if quantity.refuse is not None and _is_beyond(
            value, low, high, quantity, least=quantity.refuse, widths=REFUSE_WIDTHS
        ):
            refusals.append(words)
        elif _is_beyond(value, low, high, quantity, least=quantity.warn, widths=WARN_WIDTHS):
            warnings.append(words)
    if not refusals and (scaled := _explain_scale(measured, ranges)):
        refusals.append(scaled)
    return refusals, warnings


def _explain_scale(
    measured: Mapping[str, float], ranges: Mapping[str, Sequence[float]]
) -> str | None:
    """Say that image and voxels are both too large, or both too small, as in another unit.

    A crop is smaller and its voxels are not; a coarse image has larger voxels and the same sides.
    """
    if not all(name in measured and name in ranges for name in _SCALED):
        return None
    times, words = [], []
    for name in _SCALED:
        quantity, value, (low, high) = OF_IMAGE[name], measured[name], ranges[name]
        times.append(_count_times_beyond(value, low, high))
        words.append(f"{quantity.words} is {_compare_with_training(value, low, high, quantity)}")
    if not (min(times) > MOST_TIMES or max(times) < 1 / MOST_TIMES):
        return None
    return f"its sizes are likely stated in another unit: {' and '.join(words)}"


def _count_times_beyond(value: float, low: float, high: float) -> float:
    """How many times the highest value, or the lowest; 1 within the range."""
    if value > high > 0:
        return value / high
    return value / low if 0 < value < low else 1.0


def compare_class(
    name: str,
    measured: Mapping[str, float],
    ranges: Mapping[str, Sequence[float]],
    *,
    is_cut: bool = False,
) -> list[str]:
    """What of a class is outside of its range in training, in words.

    Args:
        name: of the class.
        measured: see `measure_class`.
        ranges: likewise, of training.
        is_cut: the class reaches the edge of the image, so that less of it than ever says nothing,
            and neither does where its centre is.

    Example:
        >>> compare_class("liver", {"volume_ml": 130}, {"volume_ml": [900, 2400]})
        ['liver: the volume is 130 mL, in training it was 900 to 2400 mL']
    """
    low_share = ranges.get("share", [0.0])[0]
    if measured.get("share") == 0:
        return [f"{name}: nothing was found, but every training case had some"] if low_share else []
    found = []
    for key, quantity in OF_CLASS.items():
        if key not in measured or key not in ranges:
            continue
        low, high = ranges[key]
        value = measured[key]
        if value < low and (is_cut or key in ("share", "pieces")):
            continue
        if is_cut and key.startswith("place"):
            continue
        if _is_beyond(value, low, high, quantity, least=quantity.warn, widths=WARN_WIDTHS):
            if key in _DIRECTIONS and "volume_ml" in measured:
                found.append(f"{name} {_describe_place(key, value, low, high)}")
                continue
            if key == "share":
                found.append(
                    f"{name} {_describe_share(value, low, high, volume='volume_ml' in measured)}"
                )
                continue
            found.append(
                f"{name}: {quantity.words} is {_compare_with_training(value, low, high, quantity)}"
            )
    return found


def _describe_share(value: float, low: float, high: float, *, volume: bool) -> str:
    """How much of an image a class fills, in per cent."""
    where = "the slice that shows most of it" if volume else "the picture"
    shares = [_format_number(100 * share) for share in (value, low, high)]
    span = shares[1] if shares[1] == shares[2] else f"{shares[1]} to {shares[2]}"
    return f"fills {shares[0]} % of {where}, in training it was {span} %"


def describe_organ_doubts(
    name: str, volume_ml: float, limits_ml: Sequence[float], is_cut: bool, *, beside: float = 0.0
) -> Iterator[str]:
    """Say that an organ has a volume as in no patient, or lies in several parts.

    Args:
        name: of the class.
        volume_ml: of all its parts.
        limits_ml: lowest and highest volume of a whole organ.
        is_cut: the class reaches the edge of the image, so that less of it is right.
        beside: the share of the volume outside the largest part, see `MOST_BESIDE`.

    Example:
        >>> list(describe_organ_doubts("liver", 17233, [200, 6000], False))
        ['liver: the volume is 17233 mL, and a whole one has 200 to 6000 mL']
    """
    if beside > MOST_BESIDE:
        yield (
            f"{name}: {_format_number(beside * volume_ml)} of {_format_number(volume_ml)} mL "
            "lie apart from its largest part, and an organ is in one piece"
        )
    low, high = limits_ml
    if volume_ml > high or (volume_ml < low and not is_cut):
        yield (
            f"{name}: the volume is {_format_number(volume_ml)} mL, and a whole one has "
            f"{_format_number(low)} to "
            f"{_format_number(high)} mL"
        )


def _describe_place(key: str, value: float, low: float, high: float) -> str:
    """Where a class of a volume lies, whose axes are to the right, the front and the head."""
    smaller, larger, extent = _DIRECTIONS[key]
    where = smaller if value < low else larger
    return (
        f"lies {where} in the image than in any training case ({value:.2f} of the {extent}; "
        f"training {low:.2f} to {high:.2f})"
    )


def _is_beyond(
    value: float, low: float, high: float, quantity: Quantity, *, least: float, widths: float
) -> bool:
    """Whether a value lies beyond a range by more than a margin."""
    if not quantity.is_ratio:
        margin = max(least, widths * (high - low))
        return value < low - margin or value > high + margin
    margin = max(least, widths * math.log2(high / low)) if low > 0 else least
    return value < low * 2**-margin or value > high * 2**margin


def _compare_with_training(value: float, low: float, high: float, quantity: Quantity) -> str:
    unit = f" {quantity.unit}" if quantity.unit else ""
    span = (
        _format_number(low) if low == high else f"{_format_number(low)} to {_format_number(high)}"
    )
    return f"{_format_number(value)}{unit}, in training it was {span}{unit}"


def _format_number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
