"""JSON file: what a list of cases says, read where it has a size that lists have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 2**24
"""A longer list of cases is refused unread: 50,000 cases with long names take less."""


def read_json(path: Path) -> Any:
    """The content of a JSON file, with or without a byte order mark.

    Raises:
        ValueError: it has more than `MOST_BYTES` bytes, is nested too deeply, or is no JSON.
        OSError: it cannot be read.

    Example:
        >>> read_json(Path("datalist.json"))["training"]  # doctest: +SKIP
        []
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"it has {size} bytes, more than the {MOST_BYTES} of any list of cases")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError(f"it is nested too deeply to be a {path.name}") from error
