"""Decimal commas: numbers that some slices of a series write with a comma in place of a point.

No scanner does so in a part of its slices. Another program wrote these files again, and what it
did to other numbers is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.tag import Tag

from medseg.ingest.dicom.consistency.traits import OF_ONE_VOLUME
from medseg.ingest.dicom.elements import has_decimal_comma
from medseg.ingest.dicom.rules.provenance import keyword_of
from medseg.ingest.dicom.slice import Slice


def some_decimal_commas(slices: Sequence[Slice]) -> str:
    """Values of which one volume has one, written with a comma in some of the slices alone.

    Where all slices that state an element write it so, nothing is found: they may be compared.

    Args:
        slices: those of one series, one or more.
    """
    for trait in OF_ONE_VOLUME:
        stated = [(text, s) for s in slices if (text := getattr(s.origin, trait.field))]
        faulty = [(text, s) for text, s in stated if has_decimal_comma(text)]
        if trait.tolerance is None or not 0 < len(faulty) < len(stated):
            continue
        keyword = keyword_of(trait.field)
        text, first = faulty[0]
        where = f"{len(faulty)} of {len(slices)} slices, such as {first.path.name},"
        said = f"{keyword} {Tag(keyword)} is {text!r}, which is no number for its decimal comma"
        return f"{said}, in {where}"
    return ""
