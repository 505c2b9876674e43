"""Arguments: checks of one argument of a function that are the same whatever the function does.

Nothing heavy is imported. NumPy's own integers and floats pass like Python's.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any, TypeGuard

from medseg.base.text import find_near_word

LARGEST = 2**31 - 1
"""The largest number of what counts or measures something."""


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a real number, possibly infinite or NaN; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_finite_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a real number other than infinity and NaN; True and False are not."""
    return is_number(value) and isfinite(value)


def is_whole(value: Any, least: int, most: int | None = None) -> bool:
    """Whether a value is a whole number of `least` or more, and `most` or less."""
    return is_integer(value) and value >= least and (most is None or value <= most)


def is_count(value: Any, least: int) -> bool:
    """Whether a value is a whole number of `least` or more that counts or measures something."""
    return is_whole(value, least, LARGEST)


def is_list_of(value: Any, holds: Callable[[Any], bool], *, least: int = 1) -> bool:
    """Whether a value is a list of `least` entries or more, for each of which something holds."""
    return isinstance(value, (list, tuple)) and len(value) >= least and all(map(holds, value))


def is_text(value: Any) -> bool:
    """Whether a value is a text that is not empty."""
    return isinstance(value, str) and value != ""


def require_bool(value: Any, name: str) -> bool:
    """Return the value if it is a bool.

    MONAI's command line passes `--resume false` on as the text "false", which counts as true.

    Raises:
        TypeError: the value is anything else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}: pass --{name} True")
    return value


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ValueError: it is none of them; the remedy names the nearest one, if one is near.
    """
    if value not in choices:
        same = (choice for choice in choices if choice.lower() == str(value).lower())
        near = next(same, None) or find_near_word(str(value), choices)
        remedy = f"pass {near!r}" if near else "choose one of them"
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}: {remedy}")


def check_integers(name: str, value: int | Iterable[int] | str, *, least: int, rule: str) -> None:
    """Refuse anything but an integer, or one or more of them, none below the least.

    Raises:
        ValueError: it is anything else; the message begins with the rule.
    """
    values = tuple(value) if isinstance(value, Iterable) else (value,)
    if not values or not all(is_integer(v) and v >= least for v in values):
        raise ValueError(f"{rule}, got {name} {value!r}: pass whole numbers of {least} or more")


def check_probability(name: str, value: Any) -> None:
    """Refuse what is no probability in [0, 1), such as that of a dropout: 1 would leave nothing.

    Raises:
        TypeError: it is not a number, or it is True or False.
        ValueError: it is a number outside [0, 1), or NaN.
    """
    if not is_number(value):
        raise TypeError(f"{name} must be a number in [0, 1), got {value!r}: pass for instance 0.5")
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}: pass for instance 0.5")


def repeat_per_axis(value: int | Sequence[int], axes: int, name: str) -> tuple[int, ...]:
    """A number for each axis, from one for all of them or one for each.

    Raises:
        ValueError: another number of entries.
    """
    values = tuple(value) if isinstance(value, Iterable) else (value,) * axes
    if len(values) != axes:
        raise ValueError(
            f"{name} must have one entry for each axis ({axes}), got {value}: pass {axes} numbers"
        )
    return values


def check_component_options(min_size: int, connectivity: int | None) -> None:
    """Refuse options that `medseg.base.masks.label_components` cannot follow.

    Raises:
        ValueError: either is below 1.
    """
    if min_size < 1 or (connectivity is not None and connectivity < 1):
        raise ValueError(
            "min_size must be 1 voxel or more and connectivity None, or 1 or more, got "
            f"{min_size} and {connectivity}: 1 and None keep every object"
        )


def check_window(window_hu: Any) -> tuple[float, float]:
    """Return the two ends of a window of intensities, in HU for CT.

    Raises:
        TypeError: not a list of two numbers.
        ValueError: an end is not finite, or the low end is not below the high end.
    """
    if not is_list_of(window_hu, is_number) or len(window_hu) != 2:
        raise TypeError(
            f"window_hu must be two numbers, low and high, got {window_hu!r}: pass [-160, 240]"
        )
    low, high = map(float, window_hu)
    if not -inf < low < high < inf:
        raise ValueError(
            f"window_hu must be finite with its low end below its high end, got {window_hu!r}: "
            "pass for instance [-160, 240]"
        )
    return low, high
