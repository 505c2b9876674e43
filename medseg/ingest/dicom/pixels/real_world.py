"""Real world: rescale slices without a rescale of their own by their real world value mapping.

A rescale that is stated takes precedence: scanners and viewers agree on it. Where there is none, or
it changes nothing, one linear Real World Value Mapping gives the values of a slice. Several
mappings, or a table, leave open which values are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medseg.ingest.dicom.header.image_kind import RESCALED_KINDS
from medseg.ingest.dicom.header.real_world_mapping import Mapping
from medseg.ingest.dicom.header.slice import Slice

HOUNSFIELD = "[hnsf'U]"
"""The code of HU in UCUM."""

_CODES_OF_UNITS = {
    "BQML": ("bq/ml", "bqml"),
    "CNTS": ("{counts}", "counts", "{count}", "cnts", "1"),
    "CPS": ("{counts}/s", "counts/s", "cps"),
    "GML": ("g/ml", "{suvbw}g/ml", "g/ml{suvbw}", "{suvlbm}g/ml", "g/ml{suvlbm}", "gml"),
}
"""Units of PET (PS3.3 C.8.9.1.1.3) and their codes in UCUM and of some writers, in lower case."""

_RELATIVE_TOLERANCE = 1e-5  # rescales are decimal strings of at most 16 characters


def apply_real_world_values(header: Slice) -> Slice:
    """Rescale a slice that has no rescale by its one linear mapping; else return it as it is.

    CT takes only a mapping to HU, and PET only one to its Units, where both state a unit.

    Example:
        >>> apply_real_world_values(header).slope  # RealWorldValueSlope 2.6  # doctest: +SKIP
        2.6
    """
    mapping = _find_only_linear(header)
    if mapping is None or not _lacks_rescale(header):
        return header
    return replace(
        header,
        slope=mapping.slope,
        intercept=mapping.intercept,
        rescale_type="HU" if mapping.unit == HOUNSFIELD else mapping.unit,
        real_world=(mapping,),
        is_real_world=True,
    )


def put_in_one_scale(slices: Sequence[Slice]) -> Sequence[Slice]:
    """Undo the mapping of some slices where the others have a rescale and all then agree.

    In a series that is rescaled slice by slice, the rescale of one slice may be 1 and 0 by chance.
    Its mapping was then applied, though it is the rescale of all slices in another unit.

    Args:
        slices: those of one series.
    """
    others = [s for s in slices if not _has_values_of_mapping(s)]
    is_mixed = others and len(others) < len(slices) and all(s.real_world for s in slices)
    if not is_mixed or any(s.kind in RESCALED_KINDS for s in slices):
        return slices
    unit = others[0].rescale_type
    undone = [
        replace(s, slope=1.0, intercept=0.0, rescale_type=unit, is_real_world=False)
        if s.is_real_world
        else s
        for s in slices
    ]
    return undone if _has_common_mapping(undone) else slices


def describe_conflicting_rescale(slices: Sequence[Slice]) -> str:
    """Mappings that contradict the rescale, or that leave open which values are meant.

    Rescale and mapping agree where one is the other in another unit, the same for all slices.
    """
    mapped = [s for s in slices if s.real_world]
    is_pet = any(s.kind == "PT" for s in slices)  # its Units are those of the rescale
    if not mapped or (is_pet and not any(s.is_real_world for s in slices)):
        return ""
    if any(s.is_real_world for s in slices):
        rest = sum(not _has_values_of_mapping(s) for s in slices)
        return f"{rest} of {len(slices)} slices lack the real world mapping" if rest else ""
    first, count = mapped[0], len(mapped[0].real_world)
    if first.kind == "CT":  # a CT slice without a rescale is refused for that
        return next(filter(None, map(_describe_other_hu, mapped)), "")
    if _lacks_rescale(first):
        what = f"{count} mappings" if count > 1 else "a mapping that is not linear"
        return f"{first.name} has {what} to real world values and no rescale"
    if len(mapped) < len(slices) or _has_common_mapping(slices):
        return ""
    return "rescale and real world value mapping of the slices differ from slice to slice"


def _has_values_of_mapping(header: Slice) -> bool:
    """Whether the values of a slice are those of its mapping, which its rescale may state too."""
    if header.is_real_world or len(header.real_world) != 1 or not header.real_world[0].is_linear:
        return header.is_real_world
    (mapping,) = header.real_world
    stated = (mapping.slope or 0.0, mapping.intercept or 0.0)
    return np.allclose(header.rescale, stated, rtol=_RELATIVE_TOLERANCE)


def _describe_other_hu(header: Slice) -> str:
    """Say how rescale and mapping of a CT slice give different HU; empty where they agree."""
    if header.slope is None or header.intercept is None or header.rescale_type not in ("", "HU"):
        return ""
    for mapping in header.real_world:
        stated = (mapping.slope or 0.0, mapping.intercept or 0.0)
        is_other = not np.allclose(header.rescale, stated, rtol=_RELATIVE_TOLERANCE)
        if mapping.unit == HOUNSFIELD and mapping.is_linear and is_other:
            said = f"slope {stated[0]:g} and intercept {stated[1]:g} to HU by its mapping"
            slope, intercept = header.rescale
            return f"{header.name} has {said}, {slope:g} and {intercept:g} by its rescale"
    return ""


def _has_common_mapping(slices: Sequence[Slice]) -> bool:
    """Whether one mapping is the same linear function of the rescaled values in all slices."""
    counts = {len(s.real_world) for s in slices}
    if len(counts) > 1:
        return False
    relations = (_relate_to_mapping(slices, index) for index in range(counts.pop()))
    return any(r is None or np.allclose(r, r[0], rtol=_RELATIVE_TOLERANCE) for r in relations)


def _relate_to_mapping(slices: Sequence[Slice], index: int) -> np.ndarray | None:
    """Slope and intercept from rescaled to real world value, (slices, 2); None for a table."""
    found = []
    for s in slices:
        mapping, (slope, intercept) = s.real_world[index], s.rescale
        if not mapping.slope or mapping.intercept is None or slope == 0:
            return None
        factor = mapping.slope / slope
        found.append((factor, mapping.intercept - factor * intercept))
    return np.array(found)


def _find_only_linear(header: Slice) -> Mapping | None:
    mappings = header.real_world
    if header.kind == "CT":
        mappings = tuple(m for m in mappings if m.unit == HOUNSFIELD)
    if header.kind == "PT":
        mappings = _select_by_units(mappings, header.origin.units)
    is_usable = len(mappings) == 1 and mappings[0].is_linear
    return mappings[0] if is_usable else None


def _select_by_units(mappings: tuple[Mapping, ...], units: str) -> tuple[Mapping, ...]:
    """Select the mappings of PET to its Units; all where the units are not stated or known."""
    codes = _CODES_OF_UNITS.get(units, ())
    stated = [(m, m.unit.lower().replace(" ", "")) for m in mappings]
    return tuple(m for m, unit in stated if not (codes and unit) or unit in codes)


def _lacks_rescale(header: Slice) -> bool:
    """Whether there is no rescale, or one that changes nothing; CT and PET may mean that one."""
    absent = header.slope is None and header.intercept is None
    return absent or (header.kind not in RESCALED_KINDS and header.rescale == (1.0, 0.0))
