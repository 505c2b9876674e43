"""UIDs: make DICOM UIDs that are the same whenever the same result is written."""

from __future__ import annotations

import hashlib
import re

from pydicom.uid import UID

_LONGEST = 64
_VALID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_BITS = 128  # of the integer behind 2.25 (PS3.5 section B.2)


def make_uid(*parts: str | bytes) -> UID:
    """Make the UID that belongs to some texts or bytes, in this order.

    Whoever writes the same result twice writes one DICOM object, and not two that a PACS keeps
    beside each other. Nobody can tell the texts from the UID.

    Source: DICOM PS3.5 section B.2: 2.25 and a UUID as an integer, here the first 128 bits of a
    SHA-256.

    Example:
        >>> make_uid("series", "1.2.3") == make_uid("series", "1.2.3") != make_uid("series1.2.3")
        True
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return UID(f"2.25.{int.from_bytes(digest.digest()[: _BITS // 8], 'big')}")


def is_valid_uid(uid: str) -> bool:
    """Whether a UID may stand in a DICOM object: digits and dots, at most 64 characters.

    Example:
        >>> is_valid_uid("1.2.3"), is_valid_uid("1.02.3"), is_valid_uid("")
        (True, False, False)
    """
    return len(uid) <= _LONGEST and _VALID.fullmatch(uid) is not None
