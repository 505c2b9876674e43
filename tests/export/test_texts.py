"""Tests of medseg.export.texts: any name becomes a text that DICOM allows."""

from __future__ import annotations

import pytest

from medseg.export.texts import make_long_string, make_short_string


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("liver", "liver"),
        ("Leber, Segment Ⅳ", "Leber, Segment Ⅳ"),
        ("left\\right", "left/right"),
        ("tab\tand\nline\ud800", "tab and line"),
        ("x" * 70, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("x" + "ä" * 40, "x" + "ä" * 31),
    ],
)
def test_a_long_string_keeps_what_is_allowed(text, expected):
    assert make_long_string(text) == expected


def test_a_short_string_has_at_most_sixteen_bytes():
    assert make_short_string("a name that is long") == "a name that is l"
