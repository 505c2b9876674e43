"""Alternating: what every other slice along the normal states differently, or leaves out.

Slices that overlap are mostly of two interleaved volumes. Any element that alternates in them shows
two volumes; so does one that every other slice leaves out, if its absence has a meaning. The
absence of other elements, such as the tube voltage, is only noted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medseg.ingest.dicom.consistency.kinds import MOST_LISTED, list_differences, read_column
from medseg.ingest.dicom.consistency.traits import (
    ABSENCE_IS_A_VALUE,
    COMPARED_BY_ABSENCE,
    SAME_AT_ONE_PLACE,
    TIMES_OF_PACKAGES,
    TRAIT_OF,
    Trait,
)
from medseg.ingest.dicom.consistency.turns import (
    are_overlapping,
    are_strictly_alternating,
    find_places,
    may_be_packages,
)
from medseg.ingest.dicom.consistency.weak_elements import is_weak
from medseg.ingest.dicom.header.origin import find_keyword
from medseg.ingest.dicom.header.slice import Slice


def describe_alternating(slices: Sequence[Slice]) -> str:
    """Find what overlapping slices state, or leave out, in strict alternation.

    Slices that state neither thickness nor spacing count as overlapping.

    Args:
        slices: sorted along their normal, two or more.
    """
    if not are_overlapping(slices, where_unstated=True):
        return ""
    columns = _find_turning(slices)
    turning = [
        name
        for name, column in columns.items()
        if not _is_mere_absence(name, column) and not is_weak(name, column)
    ]
    if TIMES_OF_PACKAGES.issuperset(turning) and may_be_packages(slices):
        return ""
    traits = [trait for trait in SAME_AT_ONE_PLACE if trait.field in turning]
    found = [list_differences(slices, traits)] if traits else []
    for name in (name for name in turning if name not in TRAIT_OF):
        found.append(f"{len(set(columns[name]))} values of {name}")
    if not found:
        return ""
    shown = found if len(found) <= MOST_LISTED else [*found[:MOST_LISTED], "..."]
    is_stated = are_overlapping(slices, where_unstated=False)
    whose = "of slices that overlap" if is_stated else "of slices that state no thickness"
    return f"{', '.join(shown)} that alternate along the normal, {whose}"


def describe_left_out(slices: Sequence[Slice]) -> str:
    """Find what every other slice leaves out, overlapping or not, if the absence has a meaning.

    Siemens, for example, states a b-value only in images with diffusion weighting.

    Args:
        slices: sorted along their normal, one or more.
    """
    places = find_places(slices)
    columns = {
        t: read_column([getattr(s.origin, t.field) for s in slices], t) for t in COMPARED_BY_ABSENCE
    }
    turning = [
        trait
        for trait, column in columns.items()
        if "" in column and _is_alternating(column, places)
    ]
    return f"{list_differences(slices, turning)} that alternate along the normal" if turning else ""


def list_left_out_by_turns(slices: Sequence[Slice]) -> list[str]:
    """List keywords that every other overlapping slice leaves out, although all images have them.

    Args:
        slices: sorted along their normal, which no rule refuses.
    """
    if len(slices) < 2 or not are_overlapping(slices, where_unstated=False):
        return []
    columns = _find_turning(slices)
    return [find_keyword(name) for name in columns if _is_mere_absence(name, columns[name])]


def _find_turning(slices: Sequence[Slice]) -> dict[str, list[float | str]]:
    """Find what alternates strictly, by field or keyword."""
    places = find_places(slices)
    columns = _read_columns(slices).items()
    return {name: column for name, column in columns if _is_alternating(column, places)}


def _is_alternating(column: Sequence[float | str], places: Sequence[int]) -> bool:
    """Whether values alternate from slice to slice, or from place to place."""
    return are_strictly_alternating(column) or are_strictly_alternating(column, places)


def _is_mere_absence(name: str, column: Sequence[float | str]) -> bool:
    kinds = set(column)
    is_mere = ABSENCE_IS_A_VALUE.isdisjoint((name, *re.split(r"\[\d+\]\.|\.", name)))
    return is_mere and "" in kinds and len(kinds - {""}) == 1


def _read_columns(slices: Sequence[Slice]) -> dict[str, list[float | str]]:
    """What slices state of each field or keyword in which they differ."""
    others = [dict(s.origin.others) for s in slices]
    stated = {t.field: [getattr(s.origin, t.field) for s in slices] for t in SAME_AT_ONE_PLACE}
    stated["ImageType"] = ["\\".join(s.image_type) for s in slices]
    for keyword in sorted(set().union(*others)):
        stated[keyword] = [one.get(keyword, "") for one in others]
    exact = Trait("others", "values", tolerance=0)
    return {
        name: read_column(texts, TRAIT_OF.get(name, exact))
        for name, texts in stated.items()
        if len(set(texts)) > 1
    }
