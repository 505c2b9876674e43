"""Texts: names as DICOM allows them."""

from __future__ import annotations

_LONG, _SHORT = 64, 16
"""Of LO and SH (PS3.5 section 6.2): these are characters, but some readers count bytes."""

_INSTEAD = {"\\": "/"}
"""A backslash would part the text into two."""


def make_long_string(text: str) -> str:
    """A text as a long string (LO): at most 64 bytes, no backslash, no control character.

    Example:
        >>> make_long_string("left\\\\right")
        'left/right'
    """
    return _fit(text, _LONG)


def make_short_string(text: str) -> str:
    """The same as a short string (SH): at most 16 bytes."""
    return _fit(text, _SHORT)


def _fit(text: str, most: int) -> str:
    letters = (letter if letter.isprintable() else " " for letter in text)
    allowed = "".join(_INSTEAD.get(letter, letter) for letter in letters).strip()
    return allowed.encode()[:most].decode(errors="ignore").strip()
