"""Copies: slices that are there more than once, of which one is read.

A series that was exported twice, one file under two names and a link beside its file are copies.
They state the same SOP Instance UID and the same header, as far as ingest reads it, and every pixel
has the same value, in whatever transfer syntax. Pixels are read for files that state the same and
for no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np

from medseg.ingest.pixels import stored_planes
from medseg.ingest.reasons import IngestError
from medseg.ingest.slice import Slice

_OF_THE_FILE = ("path", "transfer_syntax", "is_syntax_assumed", "pixels", "is_lossy")
"""What a copy may state in another way, since it says how the file is written."""


def without_copies(slices: Sequence[Slice]) -> list[Slice]:
    """Leave out every slice of which an equal one comes before it.

    Slices at one place that differ in a pixel, in a time or in anything else that ingest reads all
    stay. So do those of a file that cannot be decoded.

    Args:
        slices: of one series, which passed the slice rules.

    Example:
        >>> without_copies([header, header_of_its_copy])  # doctest: +SKIP
        [header]
    """
    alike: dict[tuple[object, ...], list[Slice]] = {}
    for header in slices:
        alike.setdefault(_stated(header), []).append(header)
    if len(alike) == len(slices):
        return list(slices)
    pixels = _digests(s for same in alike.values() if len(same) > 1 for s in same)
    seen: set[tuple[int, bytes]] = set()
    kept = []
    for header in slices:
        same, digest = alike[_stated(header)], pixels.get(id(header))
        if digest is not None and (id(same), digest) in seen:
            continue
        if digest is not None:
            seen.add((id(same), digest))
        kept.append(header)
    return kept


def _stated(header: Slice) -> tuple[object, ...]:
    """What copies have in common, as something that can be compared."""
    values = (getattr(header, f.name) for f in fields(header) if f.name not in _OF_THE_FILE)
    return tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values)


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
