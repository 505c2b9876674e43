"""Copies: leave out slices that exist more than once.

A series that was exported twice, one file under two names and a link beside its file are copies:
every pixel has the same value at the same place, in whatever transfer syntax and type of samples.
One of them may have another SOP Instance UID and may leave out what the other states, as an
anonymiser does; free text may differ. No voxel changes by that, and it is said. Where both state a
time, a b-value or anything else of their acquisition and it differs, they are two. Pixels are read
for slices that lie at one place and no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from medseg.ingest.dicom.consistency.slice_differences import KEYWORDS
from medseg.ingest.dicom.header.origin import Origin, find_keyword
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.rescale import to_real_values
from medseg.ingest.dicom.pixels.stored_planes import read_stored_planes
from medseg.ingest.dicom.stack import SAME_POSITION_MM, measure_depths_mm
from medseg.ingest.reasons import IngestError

_OWN_OF_EACH_FILE = {"sop_class", "instance", "counts", "conversion", "has_burned_in_text"}
_SAMPLE_FIELDS = {
    "bits_stored",
    "pixel_representation",
    "padding",
    "slope",
    "intercept",
    "real_world",
}
_MAY_BE_LEFT_OUT = {"rescale_type", "thickness_mm", "spacing_between_mm", "frame_of_reference"}
"""Elements that copies may state in another way: those of the last set may be left out only."""

_FREE_TEXT = ("description", "protocol", "comments", "body_part", "study")
"""Fields that may differ between copies; a study only where each file has one of its own."""

_NOT_NUMBERS = ("study", "irradiation", "dimensions")
_FRAME_PLACES = ("in_stack", "dimensions")
_FIRST_OF_SCANNER = 2  # from which value on ImageType says what an image is of


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
    """Leave out every slice that is a copy of another; the one that states most is read.

    Slices at one place that differ in a pixel or state their acquisition differently all stay. So
    do the frames of one file, and those of a file that cannot be decoded.

    Args:
        slices: of one series, which passed the slice rules.

    Example:
        >>> leave_out_copies([header, header_of_its_copy]).slices  # doctest: +SKIP
        [header]
    """
    places = [place for place in _group_by_place(slices) if len(place) > 1]
    digests = _compute_digests(header for place in places for header in place)
    left_out: set[int] = set()
    differing: set[str] = set()
    for place in places:
        read: list[Slice] = []
        for header in sorted(place, key=_count_stated, reverse=True):
            digest = digests.get(id(header))
            alike = (r for r in read if digest is not None and digests.get(id(r)) == digest)
            same = (r for r in alike if r.path != header.path)
            found = (_find_differences(first, header) for first in same)
            names = next((names for names in found if names is not None), None)
            if names is None:
                read.append(header)
                continue
            left_out.add(id(header))
            differing |= names
    kept = [header for header in slices if id(header) not in left_out]
    return WithoutCopies(kept, tuple(sorted(differing)))


def _group_by_place(slices: Sequence[Slice]) -> Iterator[list[Slice]]:
    """Slices that lie at one place each, in their order."""
    depths = measure_depths_mm(slices)
    order = np.argsort(depths, kind="stable")
    begins = np.flatnonzero(np.diff(depths[order]) > SAME_POSITION_MM) + 1
    for at_one_depth in np.split(order, begins):
        waiting = sorted(at_one_depth.tolist())
        while waiting:
            first = slices[waiting[0]].position
            here = [
                k for k in waiting if np.abs(slices[k].position - first).max() <= SAME_POSITION_MM
            ]
            yield [slices[k] for k in here]
            waiting = [k for k in waiting if k not in here]


def _count_stated(header: Slice) -> int:
    stated = (getattr(header, name) for name in _MAY_BE_LEFT_OUT)
    return sum(map(bool, vars(header.origin).values())) + sum(map(bool, stated))


def _find_differences(first: Slice, second: Slice) -> set[str] | None:
    """What two slices of the same values state differently; None where that makes them two."""
    found = set()
    for field in fields(Origin):
        one, other = getattr(first.origin, field.name), getattr(second.origin, field.name)
        is_place = field.name in _FRAME_PLACES
        if not field.compare or is_place or _is_same(one, other, name=field.name):
            continue
        if one and other and field.name not in _FREE_TEXT:
            return None
        found.add(find_keyword(field.name))
    for name in (*_OWN_OF_EACH_FILE, *_SAMPLE_FIELDS, *_MAY_BE_LEFT_OUT):
        values = getattr(first, name), getattr(second, name)
        if values[0] == values[1]:
            continue
        if name in _MAY_BE_LEFT_OUT and all(values):
            return None
        found.add(KEYWORDS[name])
    types = first.image_type, second.image_type
    if types[0] != types[1]:
        if all(types) and types[0][_FIRST_OF_SCANNER:] != types[1][_FIRST_OF_SCANNER:]:
            return None
        found.add("ImageType")
    others = dict(first.origin.others), dict(second.origin.others)
    return found | {k for k in others[0] | others[1] if others[0].get(k) != others[1].get(k)}


def _is_same(one: str, other: str, *, name: str) -> bool:
    """Whether texts are the same, numbers by their value: "120" and "120.0"."""
    if one == other or name in _NOT_NUMBERS:
        return one == other
    try:
        return [float(n) for n in one.split("\\")] == [float(n) for n in other.split("\\")]
    except ValueError:
        return False


def _compute_digests(slices: Iterable[Slice]) -> dict[int, bytes]:
    """A digest of the values of each slice, by its `id`; none for what cannot be decoded."""
    files: dict[object, list[Slice]] = {}
    for header in slices:
        files.setdefault(header.path, []).append(header)
    found: dict[int, bytes] = {}
    for headers in files.values():
        try:
            for k, plane in read_stored_planes(headers):
                values = to_real_values(plane, headers[k])
                found[id(headers[k])] = hashlib.sha256(values.data).digest()
        except IngestError:  # whoever reads it says why
            continue
    return found
