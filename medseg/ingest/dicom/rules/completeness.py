"""Completeness: compare the counts that headers state with what is there.

The parts of a concatenation (PS3.3 C.7.6.16.1.3) are counted exactly, so a part that is missing is
certain. Other counts may be of more than one series, or be older than it: they are only noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg.ingest.dicom.header.counts import COUNTED, Counts

_MOST_LISTED = 4
_MOST_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """One file of a concatenation: what it counts and how many frames it holds."""

    counts: Counts
    frames: int


def describe_missing_parts(files: dict[Path, Part]) -> str:
    """Say which parts of a concatenation are missing; "" where, by what is stated, none is.

    Args:
        files: the parts of one series, of one concatenation or several.
    """
    found = (
        _describe_missing_numbers(parts) or _describe_missing_frames(parts)
        for parts in _group_concatenations(files.values())
        if not _are_counted_from_another(parts)
    )
    return next(filter(None, found), "")


def count_uncounted_parts(files: dict[Path, Part]) -> int:
    """Count the parts of a concatenation that does not state how many it has; else 0."""
    uncounted = (
        len(parts)
        for parts in _group_concatenations(files.values())
        if not any(part.counts.parts for part in parts)
    )
    return next(uncounted, 0)


def _group_concatenations(parts: Iterable[Part]) -> list[list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        if part.counts.is_part:
            found.setdefault(part.counts.concatenation, []).append(part)
    return list(found.values())


def _are_counted_from_another(parts: Sequence[Part]) -> bool:
    """Whether all parts are there, though numbered from 0 or with offsets from 1.

    There are as many as are stated, each where the one before it ends, and none goes by another's
    count.
    """
    total = max(p.counts.parts for p in parts)
    numbers = {p.counts.part for p in parts}
    begins = {p.counts.offset: p.frames for p in parts if p.counts.offset is not None}
    if not total or len(begins) != total or min(begins) > 1:
        return False
    if numbers not in (set(range(total)), set(range(1, total + 1))):
        return False
    ends = [offset + begins[offset] for offset in sorted(begins)]
    return sorted(begins)[1:] == ends[:-1]


def _describe_missing_numbers(parts: Sequence[Part]) -> str:
    numbers = {p.counts.part for p in parts} - {0}
    total = max(p.counts.parts for p in parts)
    last = max(total, *numbers, 0) if numbers else 0
    present = len({p.counts.offset for p in parts} - {None}) or len(parts)
    if not numbers and total > present:
        return f"{total - present} of {total} parts of a concatenation missing"
    absent = [str(n) for n in range(1, min(last, _MOST_PARTS) + 1) if n not in numbers]
    if not absent:
        return ""
    of = f" of {total}" if total else ""
    kind = "parts" if len(absent) > 1 else "part"
    return f"{kind} {', '.join(absent[:_MOST_LISTED])}{of} of a concatenation missing"


def _describe_missing_frames(parts: Sequence[Part]) -> str:
    """Find gaps by the offsets: they begin at 0, and each part begins where the one before ends."""
    ends = 0
    offsets = sorted((p.counts.offset, p.frames) for p in parts if p.counts.offset is not None)
    for offset, frames in offsets:
        if offset > ends:
            return f"frames {ends + 1} to {offset} of a concatenation missing"
        ends = max(ends, offset + frames)
    return ""


def describe_missing_images(counts: Sequence[Counts]) -> str:
    """Say where the header counts more images than there are; "" where it does not.

    Args:
        counts: those of the slices of one series, which must agree to count at all.

    Example:
        >>> describe_missing_images([Counts(images_in_acquisition=3)] * 2)
        'ImagesInAcquisition is 3'
    """
    for field, keyword in COUNTED.items():
        stated = {getattr(one, field) for one in counts}
        if len(stated) == 1 and (number := stated.pop()) > len(counts):
            return f"{keyword} is {number}"
    return ""
