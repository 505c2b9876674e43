"""Swapped slices: slices whose byte order differs from that of the rest of their series.

A slice goes on from the slices beside it. One that goes on from them once its bytes are swapped,
and not as it is, was written in the other order. Where all slices are swapped there is nothing to
go on from: then each slice is judged alone, see `medseg.ingest.dicom.sample_checks.byte_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medseg.ingest.dicom.header.slice import Slice, name_some
from medseg.ingest.dicom.pixels.histogram import Histogram, count_samples
from medseg.ingest.dicom.sample_checks.byte_order import (
    are_swapped,
    count_changes,
    fit_swapped,
    swap_bytes,
)
from medseg.ingest.dicom.sample_checks.hounsfield_range import is_hounsfield, is_unlikely
from medseg.ingest.dicom.sample_checks.strips import (
    TIMES_CLOSER,
    find_neighbours,
    measure_distance,
    read_strips,
    read_whole_planes,
)
from medseg.ingest.reasons import IngestError, Reason

_BITS = 16


def unify_byte_order(slices: Sequence[Slice]) -> list[Slice]:
    """Mark slices whose bytes are swapped, so that they are read in the order of the others.

    A slice that looks swapped by itself and does not go on from the others either way is left as it
    is, with a note.

    Args:
        slices: those of one series, along their normal.

    Returns:
        The same slices in the same order.
    """
    certain, doubtful = _find_swapped(slices)
    found = list(slices)
    for places, reason in ((certain, Reason.CORRECTED_SAMPLES), (doubtful, Reason.UNLIKELY_VALUES)):
        for k in places:
            note = (reason, _describe(slices, places, is_certain=places is certain))
            notes = (*slices[k].sample_notes, note)
            found[k] = replace(slices[k], is_swapped=places is certain, sample_notes=notes)
    return found


def _describe(slices: Sequence[Slice], places: Sequence[int], *, is_certain: bool) -> str:
    count = name_some(slices, places)
    if is_certain:
        said = "the two bytes of samples are in the other order than the transfer syntax says"
        return f"{said} in {count}"
    return f"the two bytes of samples may be in the other order in {count}"


def _find_swapped(slices: Sequence[Slice]) -> tuple[list[int], list[int]]:
    """Find the places of slices that are swapped for certain, and of those that may be."""
    places = [k for k, s in enumerate(slices) if _may_be_swapped(s)]
    if len(places) < 2:
        return [], []
    strips = {places[n]: rows for n, rows in read_strips([slices[k] for k in places]).items()}
    changed = {k: count_changes(rows) for k, rows in strips.items()}
    turned = [k for k, (upper, lower) in changed.items() if upper > lower]
    straight = np.array(
        sorted(k for k, (upper, lower) in changed.items() if lower >= max(1, upper))
    )
    if not turned or not straight.size:
        return [], []
    is_closer = {k for k in turned if _does_go_on(k, strips, straight)}
    certain, doubtful = [], []
    for k, plane in _read_planes(slices, turned):
        samples = count_samples(plane)
        if not fit_swapped(samples, slices[k]) or _is_no_ct(samples, slices[k]):
            continue
        if k in is_closer:
            certain.append(k)
        elif are_swapped(plane, samples, slices[k]):
            doubtful.append(k)
    return sorted(certain), sorted(doubtful)


def _may_be_swapped(header: Slice) -> bool:
    return header.bits_allocated == _BITS and not header.transfer_syntax.is_encapsulated


def _read_planes(slices: Sequence[Slice], places: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    try:
        return [(places[n], plane) for n, plane in read_whole_planes([slices[k] for k in places])]
    except IngestError:
        return []


def _is_no_ct(samples: Histogram, header: Slice) -> bool:
    return is_hounsfield(header) and is_unlikely(swap_bytes(samples), header)


def _does_go_on(place: int, strips: dict[int, np.ndarray], straight: np.ndarray) -> bool:
    """Whether a slice is closer to the straight ones on both sides once its bytes are swapped."""
    strip = strips[place]
    alike = [strips[k] for k in find_neighbours(place, straight) if strips[k].shape == strip.shape]
    mended = strip.byteswap()
    return bool(alike) and all(
        measure_distance(strip, rows) > TIMES_CLOSER * measure_distance(mended, rows)
        for rows in alike
    )
