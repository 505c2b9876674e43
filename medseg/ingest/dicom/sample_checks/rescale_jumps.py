"""Rescale jumps: slices whose rescale does not fit their samples, compared with their neighbours.

A slice goes on from the slices beside it. One that goes on from them with their rescale, and not
with its own, states a wrong one. Programs that scale each slice for itself change its samples too,
so that its own rescale is the one that fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medseg.ingest.dicom.header.slice import Slice, name_some
from medseg.ingest.dicom.sample_checks.strips import (
    TIMES_CLOSER,
    find_neighbours,
    measure_distance,
    read_strips,
)
from medseg.ingest.reasons import Reason

MOST_SLICES = 16
"""At most this many slices with another rescale than the rest are looked at, evenly over them."""


def add_rescale_notes(slices: Sequence[Slice]) -> list[Slice]:
    """Add a note to slices whose rescale does not fit the slices beside them.

    Args:
        slices: those of one series, along their normal.

    Returns:
        The same slices in the same order, with `sample_notes` where there is something to say.
    """
    found = list(slices)
    rescales = Counter(s.rescale for s in slices if s.slope is not None and not s.is_real_world)
    if len(rescales) < 2:
        return found
    usual, count = rescales.most_common(1)[0]
    if 2 * count < len(slices):
        return found
    jumps = _find_jumps(slices, usual)
    for k in jumps:
        found[k] = replace(
            found[k], sample_notes=(*found[k].sample_notes, _make_note(slices, jumps))
        )
    return found


def _make_note(slices: Sequence[Slice], places: Sequence[int]) -> tuple[Reason, str]:
    slope, intercept = slices[places[0]].rescale
    finding = f"a rescale of slope {slope:g} and intercept {intercept:g} does not fit the samples"
    return (
        Reason.UNLIKELY_VALUES,
        f"{finding} but that of the slices beside it does, in {name_some(slices, places)}",
    )


def _find_jumps(slices: Sequence[Slice], usual: tuple[float, float]) -> list[int]:
    """Find the places of slices that continue their neighbours only with the usual rescale."""
    others = [k for k, s in enumerate(slices) if s.rescale != usual]
    straight = np.array([k for k, s in enumerate(slices) if s.rescale == usual])
    looked_at = np.linspace(0, len(others) - 1, min(MOST_SLICES, len(others))).round().astype(int)
    near = {others[k]: find_neighbours(others[k], straight) for k in looked_at}
    needed = sorted({*near, *(k for places in near.values() for k in places)})
    strips = {needed[n]: rows for n, rows in read_strips([slices[k] for k in needed]).items()}
    return sorted(k for k, places in near.items() if _fits_usual(k, places, strips, slices))


def _fits_usual(
    place: int, places: Sequence[int], strips: dict[int, np.ndarray], slices: Sequence[Slice]
) -> bool:
    if place not in strips:
        return False
    strip = strips[place]
    alike = [k for k in places if k in strips and strips[k].shape == strip.shape]
    own = _rescale(strip, slices[place])
    return bool(alike) and all(
        measure_distance(own, rows)
        > TIMES_CLOSER * measure_distance(_rescale(strip, slices[k]), rows)
        for k in alike
        for rows in (_rescale(strips[k], slices[k]),)
    )


def _rescale(rows: np.ndarray, header: Slice) -> np.ndarray:
    slope, intercept = header.rescale
    return rows.astype(np.float64) * slope + intercept
