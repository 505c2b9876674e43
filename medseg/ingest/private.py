"""Private: elements of single makers that say what the standard's own elements leave out.

A private element lies in a block that its creator reserves (PS3.5 section 7.8.1), nearly always the
first of its group. It is read only where the creator is the one that is known for it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pydicom
from pydicom.tag import BaseTag, Tag

_BLOCKS = range(0x10, 0x18)
_FORMATS = {"US": "H", "FL": "f", "FD": "d"}


@dataclass(frozen=True)
class PrivateElement:
    """Where a maker writes a number: `vr` is "IS", "DS", "US", "FL" or "FD"."""

    group: int
    element: int
    creator: str
    vr: str

    @cached_property
    def places(self) -> tuple[tuple[BaseTag, BaseTag], ...]:
        """The tags of creator and element in each block that it may lie in."""
        return tuple(
            (Tag(self.group, block), Tag(self.group, block << 8 | self.element))
            for block in _BLOCKS
        )

    def places_in(self, dataset: pydicom.Dataset) -> list[BaseTag]:
        """Where a data set may hold it: the blocks that its creator reserves."""
        stated = dataset.keys()
        return [
            tag
            for creator, tag in self.places
            if creator in stated and _text(dataset, creator) == self.creator
        ]

    def read(self, dataset: pydicom.Dataset) -> float | None:
        """The number, or the first of several; None where it is not stated, or is none.

        Example:
            >>> dataset = pydicom.Dataset()
            >>> block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
            >>> block.add_new(0x0C, "IS", "1000")
            >>> B_VALUES[0].read(dataset)
            1000.0
        """
        found = (_number(dataset, tag, self.vr) for tag in self.places_in(dataset))
        return next((number for number in found if number is not None), None)


B_VALUES = (
    PrivateElement(0x0019, 0x0C, "SIEMENS MR HEADER", "IS"),
    PrivateElement(0x0043, 0x39, "GEMS_PARM_01", "IS"),
    PrivateElement(0x2001, 0x03, "Philips Imaging DD 001", "FL"),
    PrivateElement(0x0065, 0x09, "Image Private Header", "FD"),  # United Imaging
)
"""Diffusion b-values, of which GE adds a multiple of 100,000 to some."""

GE_OFFSET = 100_000

TILES = (
    PrivateElement(0x0019, 0x0A, "SIEMENS MR HEADER", "US"),
    PrivateElement(0x0065, 0x50, "Image Private Header", "DS"),  # United Imaging
)
"""How many slices lie side by side in one image."""

SCALE_SLOPE = PrivateElement(0x2005, 0x0E, "Philips MR Imaging DD 001", "FL")
"""Philips' factor from values to what the coils measured, (2005,100E): values / slope / factor."""

_CSA = PrivateElement(0x0029, 0x10, "SIEMENS CSA HEADER", "OB")
_CSA_TILES = b"NumberOfImagesInMosaic\0"
_CSA_NAME_BYTES, _CSA_TAG_BYTES, _CSA_ITEM_BYTES = 64, 84, 16

KEYWORDS = tuple(
    f"{tag:08X}"
    for one in (*B_VALUES, *TILES, SCALE_SLOPE, _CSA)
    for place in one.places
    for tag in place
)
"""The tags to read, those of the creators included."""


def b_value(dataset: pydicom.Dataset) -> str:
    """The private b-value as text, in s/mm2; "" where none is stated."""
    found = (one.read(dataset) for one in B_VALUES)
    number = next((n for n in found if n is not None), None)
    if number is None:
        return ""
    return f"{number % GE_OFFSET if number > GE_OFFSET else number:g}"


def tiles(dataset: pydicom.Dataset) -> int:
    """How many slices one image shows side by side, by its maker's elements; 0 where unknown."""
    stated = [one.read(dataset) or 0 for one in TILES]
    return int(max(*stated, _csa_tiles(dataset)))


def _csa_tiles(dataset: pydicom.Dataset) -> int:
    """The same in Siemens' own header of the image, a list of named values."""
    for tag in _CSA.places_in(dataset):
        content = _raw(dataset, tag)
        at = content.find(_CSA_TILES)
        start = at + _CSA_TAG_BYTES + _CSA_ITEM_BYTES
        value = content[start : start + 8].split(b"\0")[0].strip()
        if at >= 0 and value.isdigit():
            return int(value)
    return 0


def _number(dataset: pydicom.Dataset, tag: BaseTag, vr: str) -> float | None:
    element = dataset.get_item(tag)
    if element is None or element.value is None:
        return None
    value = element.value
    try:
        if isinstance(value, bytes) and vr in _FORMATS:
            order = "<" if getattr(element, "is_little_endian", True) else ">"
            return float(struct.unpack_from(order + _FORMATS[vr], value)[0])
        text = value.decode("latin-1") if isinstance(value, bytes) else _first(value)
        return float(text.split("\\")[0])
    except (struct.error, ValueError):  # another VR, or no number: it says nothing
        return None


def _first(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return str(value[0])
    return str(value)


def _text(dataset: pydicom.Dataset, tag: BaseTag) -> str:
    return _raw(dataset, tag).decode("latin-1").strip(" \0")


def _raw(dataset: pydicom.Dataset, tag: BaseTag) -> bytes:
    element = dataset.get_item(tag)
    value = b"" if element is None or element.value is None else element.value
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
