"""Real world mapping: what a header says of the real world values of its stored values.

PS3.3 C.7.6.16.2.11: an item maps a range of stored values by slope and intercept, or by a table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pydicom

from medseg.ingest.dicom.files.elements import get_macro, get_number, get_text

KEYWORD = "RealWorldValueMappingSequence"


@dataclass(frozen=True)
class Mapping:
    """One item: real world value = stored value * slope + intercept.

    Attributes:
        slope: None where the item holds a table, or states no slope.
        intercept: likewise.
        first: the lowest stored value that is mapped; minus infinity where it is not stated.
        last: the highest; infinity where it is not stated.
        unit: the code of the unit, e.g. "[hnsf'U]" of UCUM.
    """

    slope: float | None
    intercept: float | None
    first: float = -math.inf
    last: float = math.inf
    unit: str = ""

    @property
    def is_linear(self) -> bool:
        """Whether slope and intercept are there, and make values of stored ones."""
        return bool(self.slope) and self.intercept is not None


def read_mappings(groups: Sequence[pydicom.Dataset]) -> tuple[Mapping, ...]:
    """The different mappings of the first data set that has any; its order is kept.

    Args:
        groups: functional groups, that of the frame before the shared one and the file itself.

    Example:
        >>> read_mappings([pydicom.Dataset()])
        ()
    """
    items = next((group[KEYWORD].value for group in groups if group.get(KEYWORD)), ())
    return tuple(dict.fromkeys(map(_read_mapping, items)))


def _read_mapping(item: pydicom.Dataset) -> Mapping:
    first, last = (_read_limit(item, end) for end in ("First", "Last"))
    is_range = first is not None and last is not None and first <= last  # else of another sign
    return Mapping(
        slope=get_number(item, "RealWorldValueSlope"),
        intercept=get_number(item, "RealWorldValueIntercept"),
        first=first if is_range and first is not None else -math.inf,
        last=last if is_range and last is not None else math.inf,
        unit=get_text(get_macro([item], "MeasurementUnitsCodeSequence"), "CodeValue"),
    )


def _read_limit(item: pydicom.Dataset, end: str) -> float | None:
    value = get_number(item, f"RealWorldValue{end}ValueMapped")
    return (
        get_number(item, f"DoubleFloatRealWorldValue{end}ValueMapped") if value is None else value
    )
