"""Other elements: further elements that may distinguish two interleaved volumes.

None of these means anything to ingest. They are compared as text where slices overlap, and only
there: of one volume none of them changes from slice to slice in a strict order of turns. Elements
within sequences count as well, under the names of both: "MRDiffusionSequence.DiffusionBValue".
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator

import pydicom
from pydicom.tag import BaseTag

from medseg.ingest.dicom.files.elements import get_stored_text
from medseg.ingest.dicom.files.parse import PARSE_ERRORS
from medseg.ingest.dicom.header.compared_elements import (
    COMPARED_IN_FILES,
    COMPARED_IN_SEQUENCES,
    COMPARED_SEQUENCES,
)
from medseg.ingest.dicom.header.private import read_counters

DEEPEST = 4
"""Sequences within sequences are read to this depth."""

MOST_ITEMS = 64
"""At most this many items of each sequence are read."""

_LONGEST_KEPT = 128

Others = tuple[tuple[str, str], ...]
"""Keywords, or names of private elements, and what they state, as text, where they state it."""


def read_others(dataset: pydicom.Dataset, *, but: Collection[BaseTag] = ()) -> Others:
    """Read what a file states, in the order of the tags, and the private numbers behind it.

    Args:
        dataset: of the file.
        but: elements that are compared elsewhere.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.CorrectedImage = ["DECY", "ATTN"]
        >>> read_others(dataset)
        (('CorrectedImage', 'DECY\\\\ATTN'),)
    """
    tags = (COMPARED_IN_FILES.keys() & dataset.keys()).difference(but)
    return (*_read_stated(dataset, tags), *read_counters(dataset))


def read_frame_others(group: pydicom.Dataset) -> Others:
    """Read what functional groups state, those of one frame or those that all of a file share."""
    return tuple(_read_stated(group, COMPARED_SEQUENCES & group.keys()))


def read_items(dataset: pydicom.Dataset, tag: BaseTag) -> pydicom.Sequence:
    """The items of a sequence; none where it is absent, or cannot be read as a sequence."""
    try:
        value = dataset[tag].value if tag in dataset else None
    except PARSE_ERRORS:  # nothing that is needed: what it holds is then compared as bytes
        value = None
    return value if isinstance(value, pydicom.Sequence) else pydicom.Sequence()


def _read_stated(
    dataset: pydicom.Dataset, tags: Iterable[BaseTag], *, depth: int = 0
) -> Iterator[tuple[str, str]]:
    """Names and texts of elements that state anything; items are numbered from the second on."""
    for tag in sorted(tags):
        name = COMPARED_IN_SEQUENCES[tag]
        items = read_items(dataset, tag) if tag in COMPARED_SEQUENCES else ()
        if not items and (text := get_stored_text(dataset, tag)):
            yield name, _shorten(text)
        for k, item in enumerate(items[:MOST_ITEMS] if depth < DEEPEST else ()):
            place = f"{name}[{k}]" if k else name
            for within, text in _read_stated(
                item, COMPARED_IN_SEQUENCES.keys() & item.keys(), depth=depth + 1
            ):
                yield f"{place}.{within}", text


def _shorten(text: str) -> str:
    """The text, or a digest in place of a long one."""
    if len(text) <= _LONGEST_KEPT:
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
