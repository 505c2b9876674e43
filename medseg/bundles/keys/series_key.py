"""Series key: what names one series of a study, or all, as the key of a bundle."""

from __future__ import annotations

import re
from typing import Any

from medseg.base.arguments import is_integer

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,11}")  # an IS is at most 12 characters long


def read_series_key(series: str | int, *, name: str = "series") -> dict[str, Any]:
    """The key `choose_series` or `series_uid` that a series stands for, with its value.

    Args:
        series: "all", "largest", or the number or the UID of a series.
        name: what the caller calls it; for the message.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> read_series_key("1.2.840.4")
        {'series_uid': '1.2.840.4'}
        >>> read_series_key(7)
        {'choose_series': 7}
    """
    text = str(series)
    if isinstance(series, str) and _UID.fullmatch(text):
        return {"series_uid": text}
    if (isinstance(series, str) or is_integer(series)) and _NUMBER.fullmatch(text):
        return {"choose_series": int(text)}
    if series in ("all", "largest"):
        return {"choose_series": series}
    raise ValueError(
        f"{name} is {series!r}: pass all, largest, or the number or UID of a series, which medseg "
        "inspect shows"
    )
