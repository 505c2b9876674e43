"""Copies: slices that are there more than once, of which one is read.

A series that was exported twice, one file under two names and a link beside its file are copies.
They state the same header, as far as ingest reads it, numbers in whatever way they are written, and
every pixel has the same value, in whatever transfer syntax. Where they state the same SOP Instance
UID, one may leave out some of what the other states, as an anonymiser does, and free text may
differ: no voxel changes by that, and it is said. Pixels are read for files that may be copies and
no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from medseg.ingest.origin import Origin, keyword_of
from medseg.ingest.pixels import stored_planes
from medseg.ingest.reasons import IngestError
from medseg.ingest.slice import Slice

_OF_THE_FILE = ("path", "transfer_syntax", "is_syntax_assumed", "pixels", "is_lossy", "sample_note")
"""What a copy may state in another way, since it says how the file is written."""

_OF_NO_VOXEL = ("origin", "counts", "conversion", "has_burned_in_text")
"""What may be left out, or differ, of two files with one SOP Instance UID."""

_FREE_TEXT = ("description", "protocol", "comments", "body_part")
_MAY_BE_LEFT_OUT = (
    *("patient", "birth_date", "sex", "study", "series_number", "series_time", "irradiation"),
    *("tube_kv", "kernel", "contrast_agent", "patient_position", "filter_type"),
)
"""What an anonymiser or an archive leaves out; times and b-values tell slices of a place apart."""

_NOT_NUMBERS = ("study", "irradiation", "dimensions")


@dataclass(frozen=True)
class WithoutCopies:
    """What is left where copies are left out.

    Attributes:
        slices: those to read, in their order.
        differing: keywords of what copies state in another way than the slices that are read.
    """

    slices: list[Slice]
    differing: tuple[str, ...] = ()


def leave_out_copies(slices: Sequence[Slice]) -> WithoutCopies:
    """Leave out every slice of which a copy comes before it.

    Slices at one place that differ in a pixel, in a time or in anything else but free text and what
    one may leave out all stay. So do those of a file that cannot be decoded.

    Args:
        slices: of one series, which passed the slice rules.

    Example:
        >>> leave_out_copies([header, header_of_its_copy]).slices  # doctest: +SKIP
        [header]
    """
    alike: dict[tuple[object, ...], list[Slice]] = {}
    for header in slices:
        alike.setdefault(_voxels_of(header), []).append(header)
    if len(alike) == len(slices):
        return WithoutCopies(list(slices))
    pixels = _digests(s for same in alike.values() if len(same) > 1 for s in same)
    read: dict[tuple[object, ...], list[Slice]] = {}
    kept: list[Slice] = []
    differing: set[str] = set()
    for header in slices:
        digest = pixels.get(id(header))
        same = [] if digest is None else read.setdefault((_voxels_of(header), digest), [])
        found = (_differences(first, header) for first in same)
        copied = next((names for names in found if names is not None), None)
        if copied is None:
            same.append(header)
            kept.append(header)
        else:
            differing |= copied
    return WithoutCopies(kept, tuple(sorted(differing)))


def _voxels_of(header: Slice) -> tuple[object, ...]:
    """All that copies have in common and that bears on voxels, as something to be compared."""
    left_out = (*_OF_THE_FILE, *_OF_NO_VOXEL)
    values = (getattr(header, f.name) for f in fields(header) if f.name not in left_out)
    return tuple(tuple((v + 0.0).tolist()) if isinstance(v, np.ndarray) else v for v in values)


def _differences(first: Slice, second: Slice) -> set[str] | None:
    """What two slices of the same pixels state differently; None where that makes them two."""
    found = set()
    for field in fields(Origin):
        one, other = getattr(first.origin, field.name), getattr(second.origin, field.name)
        if not field.compare or _is_same(one, other, name=field.name):
            continue
        is_left_out = field.name in _MAY_BE_LEFT_OUT and not (one and other)
        if not first.instance or not (field.name in _FREE_TEXT or is_left_out):
            return None
        found.add(keyword_of(field.name))
    others = [n for n in _OF_NO_VOXEL[1:] if getattr(first, n) != getattr(second, n)]
    if others and not first.instance:
        return None
    return found | {_KEYWORDS[name] for name in others}


_KEYWORDS = {
    "counts": "the number of images",
    "conversion": "ConversionType",
    "has_burned_in_text": "BurnedInAnnotation",
}


def _is_same(one: str, other: str, *, name: str) -> bool:
    """Whether texts are the same, numbers by their value: "120" and "120.0"."""
    if one == other or name in _NOT_NUMBERS:
        return one == other
    try:
        return [float(n) for n in one.split("\\")] == [float(n) for n in other.split("\\")]
    except ValueError:
        return False


def _digests(slices: Iterable[Slice]) -> dict[int, bytes]:
    """A digest of the pixels of each slice, by its `id`; none for what cannot be decoded."""
    files: dict[object, list[Slice]] = {}
    for header in slices:
        files.setdefault(header.path, []).append(header)
    found: dict[int, bytes] = {}
    for headers in files.values():
        try:
            for k, plane in stored_planes(headers):
                content = np.ascontiguousarray(plane, dtype=np.int64)
                found[id(headers[k])] = hashlib.sha256(content.data).digest()
        except IngestError:  # whoever reads it says why
            continue
    return found
