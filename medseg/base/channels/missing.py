"""Missing: which channels of an image are not there, by its meta data."""

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "missing_channels"
"""Key of the meta data with the names of the channels that a case lacks and commas between them;
empty where all are there, and not set where an image has one channel."""

_BETWEEN = ", "


def join_names(names: Sequence[str]) -> str:
    """The names as one text, as meta data keep them."""
    return _BETWEEN.join(names)


def list_missing(meta: Mapping[str, Any]) -> list[str]:
    """The names of the channels that an image lacks.

    Example:
        >>> list_missing({MISSING: "t1, t2"}), list_missing({})
        (['t1', 't2'], [])
    """
    names = str(meta.get(MISSING, ""))
    return names.split(_BETWEEN) if names else []
