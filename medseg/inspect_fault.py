"""Inspect fault: the document of `inspect --json` where nothing could be listed.

It needs nothing but itself: it is written where an import was interrupted, too.
"""

from __future__ import annotations

import os

JSON_SCHEMA = "medseg-inspect-1"
"""Names the fields of the document; a field that changes its meaning changes this."""


def fault_document(message: str, path: str | os.PathLike[str] | None) -> dict[str, object]:
    """What `medseg.ingest.inspection.as_json` gives, with no series and the reason as `error`.

    Args:
        message: the reason.
        path: what was to be listed; None where the command line names nothing to look at.

    Example:
        >>> fault_document("no such file or folder: study", "study")["usable"]
        False
    """
    return {
        "schema": JSON_SCHEMA,
        "path": None if path is None else os.fspath(path),
        "usable": False,
        "series": [],
        "error": message,
    }
