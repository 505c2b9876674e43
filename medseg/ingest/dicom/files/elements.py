"""Elements: values of a data set as plain numbers and text; absent and empty are one case.

Decimal and integer strings are read by the rules of PS3.5 section 6.2, and as far as a careful
reader goes: blanks and null bytes round a number, a plus sign, more than 16 characters and an
integer written as "3.0" leave no doubt. A decimal comma does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag, Tag

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_STRINGS = ("DS", "IS")
_BINARY = ("FD", "FL", "US", "SS", "UL", "SL", "OB", "OW", "UN", "AT")
_LONGEST_SHOWN = 40
_NOT_NUMBERS = (ArithmeticError, LookupError, TypeError, ValueError, BytesLengthException)


class ElementError(ValueError):
    """An element whose value is invalid; the message names both."""


def get_text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Get the value without blanks around it; "" where absent."""
    return str(dataset.get(keyword) or "").strip(" \0\t\r\n")


def get_stored_text(dataset: pydicom.Dataset, tag: BaseTag, *, vr: str = "") -> str:
    """Get what is stored at a tag, as text for comparison; "" where nothing is, and for sequences.

    Nothing is converted, so that nothing can fail: raw bytes of a binary VR are hexadecimal digits.

    Args:
        dataset: as parsed, its elements raw or not.
        tag: of the element.
        vr: of the element; "" for the one that it states, or that the dictionary knows.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.CorrectedImage = ["DECY", "ATTN"]
        >>> get_stored_text(dataset, Tag("CorrectedImage"))
        'DECY\\\\ATTN'
    """
    element = dataset.get_item(tag)
    value = None if element is None else element.value
    if isinstance(value, bytes):
        is_binary = (vr or element.VR or dictionary_VR(tag)) in _BINARY
        return value.hex() if is_binary else value.decode("latin-1").strip(" \0")
    if value is None or isinstance(value, pydicom.Sequence):
        return ""
    is_one = isinstance(value, str) or not hasattr(value, "__iter__")
    return str(value) if is_one else "\\".join(map(str, value))


def has_decimal_comma(text: str) -> bool:
    """Whether text is a number with a comma in place of its decimal point.

    Example:
        >>> has_decimal_comma("4,65"), has_decimal_comma("4.65"), has_decimal_comma("a,b")
        (True, False, False)
    """
    return _DECIMAL_COMMA.fullmatch(text) is not None


def get_unit(dataset: pydicom.Dataset) -> str:
    """Get RescaleType; Hounsfield units are "HU" in any spelling of capital and small letters."""
    stated = get_text(dataset, "RescaleType")
    return "HU" if stated.upper() == "HU" else stated


def get_whole(dataset: pydicom.Dataset, keyword: str, default: int = 0) -> int:
    """Get the value as an integer; ElementError where it is none."""
    value = get_number(dataset, keyword)
    if value is None:
        return default
    if not value.is_integer():
        raise _make_error(dataset, keyword, "which is not a whole number")
    return int(value)


def get_number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    """Get the value as a float; None where absent, ElementError where it is none, or several."""
    values = _get_numbers(dataset, keyword)
    if len(values) > 1:
        raise _make_error(dataset, keyword, f"which are {len(values)} values instead of one")
    return values[0] if values else None


def get_vector(dataset: pydicom.Dataset, keyword: str) -> np.ndarray:
    """Get all values as float64, (n,); n is 0 where absent. ElementError where one is no number."""
    return np.array(_get_numbers(dataset, keyword), dtype=np.float64)


def get_texts(dataset: pydicom.Dataset, keyword: str) -> tuple[str, ...]:
    """Get all values as text; empty where absent."""
    value = dataset.get(keyword)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def get_words(dataset: pydicom.Dataset, keyword: str) -> tuple[str, ...]:
    """Get all values of a code string, in capitals and without blanks around; empty where absent.

    Code strings have no small letters (PS3.5 section 6.2), whatever some writers put there.
    """
    return tuple(value.strip(" \0").upper() for value in get_texts(dataset, keyword))


def get_macro(groups: Sequence[pydicom.Dataset], keyword: str) -> pydicom.Dataset:
    """Get the item of a functional group macro, from the first group that has it; else empty."""
    items = (item for group in groups for item in group.get(keyword) or ())
    return next(items, pydicom.Dataset())


def _get_numbers(dataset: pydicom.Dataset, keyword: str) -> list[float]:
    stored = dataset.get_item(Tag(keyword))
    if stored is None:
        return []
    is_text = (stored.VR or dictionary_VR(stored.tag)) in (*_STRINGS, "UN")
    if isinstance(stored.value, bytes) and is_text and dictionary_VR(stored.tag) in _STRINGS:
        return _parse_numbers(dataset, keyword, stored.value)
    try:
        value = dataset.get(keyword)
        return [] if value in (None, "") else np.array(value, np.float64).ravel().tolist()
    except _NOT_NUMBERS as error:
        raise _make_error(dataset, keyword, "which is not a number") from error


def _parse_numbers(dataset: pydicom.Dataset, keyword: str, stored: bytes) -> list[float]:
    """Parse the numbers of a decimal or integer string, which backslashes separate."""
    words = [word.strip(" \0\t\r\n") for word in stored.decode("latin-1").split("\\")]
    if words == [""]:
        return []
    if not all(_NUMBER.fullmatch(word) for word in words):
        by_comma = " because of its decimal comma" if any(map(has_decimal_comma, words)) else ""
        raise _make_error(dataset, keyword, f"which is not a number{by_comma}")
    return [float(word) for word in words]


def _make_error(dataset: pydicom.Dataset, keyword: str, fault: str) -> ElementError:
    stored = dataset.get_item(Tag(keyword))
    value = b"" if stored is None else stored.value
    if isinstance(value, bytes) and dictionary_VR(Tag(keyword)) not in _STRINGS:
        return ElementError(f"{keyword} {Tag(keyword)} has {len(value)} bytes, {fault}")
    words = value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value)
    cut = f"... of {len(words)} characters" if len(words) > _LONGEST_SHOWN else ""
    return ElementError(f"{keyword} {Tag(keyword)} is {words[:_LONGEST_SHOWN]!r}{cut}, {fault}")
