"""Inspect document: what `inspect --json` prints, where something was listed or nothing could be.

It needs nothing of ingest: it is written where an import was interrupted, too.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medseg.ingest.inspect_files import Row

JSON_SCHEMA = "medseg-inspect-1"
"""Names the fields of the document; a field that changes its meaning changes this."""


def make_fault_document(message: str, path: str | os.PathLike[str] | None) -> dict[str, object]:
    """What `make_document` gives, with no series and the reason as `error`.

    Args:
        message: the reason.
        path: what was to be listed; None where the command line names nothing to look at.

    Example:
        >>> make_fault_document("no such file or folder: study", "study")["usable"]
        False
    """
    return {
        "schema": JSON_SCHEMA,
        "path": None if path is None else os.fspath(path),
        "usable": False,
        "series": [],
        "error": message,
    }


def make_document(rows: list[Row], path: str | os.PathLike[str]) -> dict[str, object]:
    """The rows for machines.

    Returns:
        `schema` (`JSON_SCHEMA`), `path`, `usable` (whether all images are, and there is one) and
        `series`: for each row the fields of `Row`, unknown ones null or empty.
    """
    from medseg.ingest.inspect_files import are_usable

    return {
        "schema": JSON_SCHEMA,
        "path": str(path),
        "usable": are_usable(rows),
        "series": [asdict(row) for row in rows],
    }
