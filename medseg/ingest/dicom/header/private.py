"""Private: elements of single manufacturers that state what the standard elements leave out.

A private element lies in a block that its creator reserves (PS3.5 section 7.8.1), nearly always the
first of its group. It is read where the creator is the one that is known for it. Anonymisers strip
creators and leave the elements: those of the first block, where no creator reserves it, are read
too, unless Manufacturer names another maker.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pydicom
from pydicom.tag import BaseTag, Tag

from medseg.ingest.dicom.files.elements import get_stored_text

_NUMBER = re.compile(rb" *[0-9]{1,5}(\.[0-9]*)?[ \0]*")
_BLOCKS = range(0x10, 0x18)
_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


@dataclass(frozen=True)
class PrivateElement:
    """Where a maker writes a number: `vr` is "IS", "DS", "US", "FL" or "FD".

    `maker` is how Manufacturer names it, in lower case, in one way or another.
    """

    group: int
    element: int
    creator: str
    vr: str
    maker: tuple[str, ...]

    @cached_property
    def places(self) -> tuple[tuple[BaseTag, BaseTag], ...]:
        """The tags of creator and element in each block that it may lie in."""
        return tuple(
            (Tag(self.group, block), Tag(self.group, block << 8 | self.element))
            for block in _BLOCKS
        )

    def find_places_in(self, dataset: pydicom.Dataset) -> list[BaseTag]:
        """Where a data set may hold it: the blocks that its creator reserves, or the orphan's."""
        stated = dataset.keys()
        creator, orphan = self.places[0]
        if orphan in stated and not (creator in stated and _to_text(dataset, creator)):
            manufacturer = _to_text(dataset, _MANUFACTURER).lower()
            is_ours = any(name in f"{manufacturer} " for name in self.maker)
            return [orphan] if is_ours or not manufacturer else []
        return [
            tag
            for creator, tag in self.places
            if creator in stated and _to_text(dataset, creator) == self.creator
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
        found = (_parse_number(dataset, tag, self.vr) for tag in self.find_places_in(dataset))
        return next((number for number in found if number is not None), None)

    def read_text(self, dataset: pydicom.Dataset) -> str:
        """All that it holds, to compare; "" where it is not there."""
        found = (get_stored_text(dataset, tag, vr=self.vr) for tag in self.find_places_in(dataset))
        return next(filter(None, found), "")


_SIEMENS, _PHILIPS, _GE, _UIH = ("siemens",), ("philips",), ("ge ", "gems"), ("uih", "united imag")
_SIEMENS_MR_CREATOR, _PHILIPS_MR_CREATOR = "SIEMENS MR HEADER", "Philips MR Imaging DD 001"
_PHILIPS_CREATOR, _PHILIPS_MR_5_CREATOR = "Philips Imaging DD 001", "Philips MR Imaging DD 005"

B_VALUES = (
    PrivateElement(0x0019, 0x0C, _SIEMENS_MR_CREATOR, "IS", _SIEMENS),
    PrivateElement(0x0043, 0x39, "GEMS_PARM_01", "IS", _GE),
    PrivateElement(0x2001, 0x03, "Philips Imaging DD 001", "FL", _PHILIPS),
    PrivateElement(0x0065, 0x09, "Image Private Header", "FD", _UIH),
)
"""Diffusion b-values, of which GE adds a multiple of 100,000 to some."""

GE_OFFSET = 100_000

DIRECTIONS = (
    PrivateElement(0x0019, 0x0E, _SIEMENS_MR_CREATOR, "FD", _SIEMENS),
    *(PrivateElement(0x0019, k, "GEMS_ACQU_01", "DS", _GE) for k in (0xBB, 0xBC, 0xBD)),
    *(PrivateElement(0x2005, k, _PHILIPS_MR_CREATOR, "FL", _PHILIPS) for k in (0xB0, 0xB1, 0xB2)),
    PrivateElement(0x0065, 0x37, "Image Private Header", "FD", _UIH),
)
"""Directions of diffusion, whole or each component by itself."""

TILES = (
    PrivateElement(0x0019, 0x0A, _SIEMENS_MR_CREATOR, "US", _SIEMENS),
    PrivateElement(0x0065, 0x50, "Image Private Header", "DS", _UIH),
)
"""How many slices lie side by side in one image."""

SLICES = (
    PrivateElement(0x0021, 0x4F, "GEMS_RELA_01", "SS", _GE),
    PrivateElement(0x2001, 0x18, "Philips Imaging DD 001", "SL", _PHILIPS),
)
"""How many slices one volume has, one at each place."""

SCALE_SLOPE = PrivateElement(0x2005, 0x0E, _PHILIPS_MR_CREATOR, "FL", _PHILIPS)
"""Philips' factor from values to what the coils measured, (2005,100E): values / slope / factor."""

SLICE_TIMES = PrivateElement(0x0019, 0x29, _SIEMENS_MR_CREATOR, "FD", _SIEMENS)
"""When each slice of a Siemens mosaic was taken, in ms; a single slice has one time at most."""

MATRIX = PrivateElement(0x0051, 0x0B, _SIEMENS_MR_CREATOR, "LO", _SIEMENS)
"""Siemens' text of the acquired matrix: "64*64", "48p*64", "128*128s" where it is interpolated."""

IMAGE_TYPES = PrivateElement(0x0051, 0x16, _SIEMENS_MR_CREATOR, "LO", _SIEMENS)
"""Siemens' own copy of ImageType, which says "M/ND/MOSAIC" of a mosaic."""

COUNTERS = {
    "Philips chemical shift number": PrivateElement(0x2001, 0x02, _PHILIPS_CREATOR, "IS", _PHILIPS),
    "Philips end of diastole or systole": PrivateElement(
        0x2001, 0x07, _PHILIPS_CREATOR, "CS", _PHILIPS
    ),
    "Philips phase number": PrivateElement(0x2001, 0x08, _PHILIPS_CREATOR, "IS", _PHILIPS),
    "Philips prepulse delay": PrivateElement(0x2001, 0x1B, _PHILIPS_CREATOR, "FL", _PHILIPS),
    "Philips reconstruction number": PrivateElement(0x2001, 0x1D, _PHILIPS_CREATOR, "IS", _PHILIPS),
    "Philips echo time": PrivateElement(0x2001, 0x25, _PHILIPS_CREATOR, "SH", _PHILIPS),
    "Philips acquisition number": PrivateElement(0x2001, 0x7B, _PHILIPS_CREATOR, "IS", _PHILIPS),
    "Philips image type": PrivateElement(0x2005, 0x11, _PHILIPS_MR_CREATOR, "CS", _PHILIPS),
    "Philips dynamic scan time": PrivateElement(0x2005, 0xA0, _PHILIPS_MR_CREATOR, "FL", _PHILIPS),
    "Philips b-value number": PrivateElement(0x2005, 0x12, _PHILIPS_MR_5_CREATOR, "IS", _PHILIPS),
    "Philips gradient number": PrivateElement(0x2005, 0x13, _PHILIPS_MR_5_CREATOR, "IS", _PHILIPS),
    "Philips label type": PrivateElement(0x2005, 0x29, _PHILIPS_MR_5_CREATOR, "CS", _PHILIPS),
}
"""What counts images of one place, by what they are called in messages; only to be compared."""

_CSA = PrivateElement(0x0029, 0x10, "SIEMENS CSA HEADER", "OB", _SIEMENS)
_CSA_BEGINNING = b"SV10"
_CSA_TILES, _CSA_B_VALUE = b"NumberOfImagesInMosaic\0", b"B_value\0"
_CSA_DIRECTION = b"DiffusionGradientDirection\0"
_CSA_NAME_BYTES, _CSA_TAG_BYTES, _CSA_ITEM_BYTES = 64, 84, 16
_LONGEST_NUMBER = 64
_MANUFACTURER = Tag("Manufacturer")
_HEX_OF_DOUBLE = 16

KEYWORDS = (
    "Manufacturer",
    *(
        f"{tag:08X}"
        for one in (
            *B_VALUES,
            *COUNTERS.values(),
            *DIRECTIONS,
            *TILES,
            *SLICES,
            SCALE_SLOPE,
            IMAGE_TYPES,
            _CSA,
            SLICE_TIMES,
            MATRIX,
        )
        for place in one.places
        for tag in place
    ),
)
"""The tags to read, those of the creators included."""


def read_b_value(dataset: pydicom.Dataset) -> str:
    """The private b-value as text, in s/mm2; "" where none is stated."""
    found = (one.read(dataset) for one in B_VALUES)
    number = next((n for n in found if n is not None), None)
    if number is None:
        return _read_csa_value(dataset, _CSA_B_VALUE)
    return f"{number % GE_OFFSET if number > GE_OFFSET else number:g}"


def read_direction(dataset: pydicom.Dataset) -> str:
    """The private direction of diffusion, only to be compared; "" where none is stated."""
    stated = filter(None, (one.read_text(dataset) for one in DIRECTIONS))
    return " ".join(stated) or _read_csa_value(dataset, _CSA_DIRECTION)


def read_tiles(dataset: pydicom.Dataset) -> int:
    """How many slices one image shows side by side, by its maker's elements; 0 where unknown."""
    stated = [one.read(dataset) or 0 for one in TILES]
    counted = _read_csa_value(dataset, _CSA_TILES)
    count = int(counted) if counted.isdecimal() else 0
    return int(max(*stated, count, _count_of_times(dataset)))


def read_matrix_text(dataset: pydicom.Dataset) -> str:
    """Siemens' text of the acquired matrix; "" where there is none."""
    return MATRIX.read_text(dataset).strip()


def _count_of_times(dataset: pydicom.Dataset) -> int:
    times = SLICE_TIMES.read_text(dataset)  # in hexadecimal digits where they are not parsed
    return times.count("\\") + 1 if "\\" in times else len(times) // _HEX_OF_DOUBLE


def read_count_of_slices(dataset: pydicom.Dataset) -> int:
    """How many slices a volume has, by its maker's element; 0 where none is stated."""
    return int(max(0, *(one.read(dataset) or 0 for one in SLICES)))


def read_counters(dataset: pydicom.Dataset) -> tuple[tuple[str, str], ...]:
    """The names of `COUNTERS` and what is stated of them, of those that are stated."""
    found = ((name, one.read_text(dataset)) for name, one in COUNTERS.items())
    return tuple((name, text) for name, text in found if text)


def is_called_mosaic(dataset: pydicom.Dataset) -> bool:
    """Whether Siemens' own copy of ImageType has the word MOSAIC."""
    return "MOSAIC" in IMAGE_TYPES.read_text(dataset).upper()


def _read_csa_value(dataset: pydicom.Dataset, name: bytes) -> str:
    """All items of a named value of Siemens' own header of the image, which says what it is."""
    for _, tag in _CSA.places:
        content = _to_bytes(dataset, tag) if tag in dataset else b""
        at = content.find(name)
        is_csa = content.startswith(_CSA_BEGINNING) or tag in _CSA.find_places_in(dataset)
        if is_csa and at >= 0:
            return "\\".join(_read_csa_items(content, at + _CSA_TAG_BYTES))
    return ""


def _read_csa_items(content: bytes, at: int) -> list[str]:
    """The items from byte `at` on that hold anything, three of a vector at most."""
    items = []
    for _ in range(3):
        if at + _CSA_ITEM_BYTES > len(content):
            break
        length = struct.unpack_from("<i", content, at + 4)[0]
        if not 0 < length <= _LONGEST_NUMBER:
            break
        at += _CSA_ITEM_BYTES
        items.append(content[at : at + length].split(b"\0")[0].decode("latin-1").strip())
        at += (length + 3) // 4 * 4
    return [item for item in items if item]


def _parse_number(dataset: pydicom.Dataset, tag: BaseTag, vr: str) -> float | None:
    element = dataset.get_item(tag)
    if element is None or element.value is None:
        return None
    value = element.value
    try:
        stated = getattr(element, "VR", None) or "UN"
        vr = vr if stated == "UN" else stated
        if isinstance(value, bytes) and vr in _FORMATS and not _NUMBER.fullmatch(value):
            order = "<" if getattr(element, "is_little_endian", True) else ">"
            return float(struct.unpack_from(order + _FORMATS[vr], value)[0])
        text = value.decode("latin-1") if isinstance(value, bytes) else _take_first(value)
        return float(text.split("\\")[0])
    except (struct.error, ValueError):  # another VR, or no number: it says nothing
        return None


def _take_first(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return str(value[0])
    return str(value)


def _to_text(dataset: pydicom.Dataset, tag: BaseTag) -> str:
    return _to_bytes(dataset, tag).decode("latin-1").strip(" \0")


def _to_bytes(dataset: pydicom.Dataset, tag: BaseTag) -> bytes:
    element = dataset.get_item(tag)
    value = b"" if element is None or element.value is None else element.value
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
