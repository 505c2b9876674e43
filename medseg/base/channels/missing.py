"""Missing: which channels of an image are not there, as its case and its meta data say."""

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "missing_channels"
"""Key of a case, and of the meta data of its image, with the names of the channels that it lacks
and commas between them; empty where all are there, and not set where an image has one channel. A
copy of a case on a disk has no meta data."""

_BETWEEN = ", "


def join_names(names: Sequence[str]) -> str:
    """The names as one text, as meta data keep them."""
    return _BETWEEN.join(names)


def list_missing(known: Mapping[Any, Any]) -> list[str]:
    """The names of the channels that an image lacks, by its case or its meta data.

    Example:
        >>> list_missing({MISSING: "t1, t2"}), list_missing({})
        (['t1', 't2'], [])
    """
    names = str(known.get(MISSING, ""))
    return names.split(_BETWEEN) if names else []
