"""Structure table: what was measured of each structure and lesion, as a person reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.inference.preview.caption import format_volume
from medseg.labels import LabelTable

MOST_LESIONS = 20
"""So many lesions of a label have a row of their own; the table of the measurements has all."""

AT_EDGE = "reaches the edge of the image"
NOT_SHOWN = "too small to be drawn on this page"
NOT_FOUND = "not found"


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Args:
        title: of the column.
        unit: of its numbers; "" where they have none.
        meaning: a sentence for a reader who does not know the word.
        source: the entry of a measurement that it shows, and whose reason it gives where that is
            missing.
    """

    title: str
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Cell:
    """A number in words, or why there is none.

    Args:
        text: the number; "" where there is none.
        reason: why there is none.
    """

    text: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A structure, or one of its lesions.

    Attributes:
        value: of the label in the mask.
        name: of the structure; of a lesion "lesion 2".
        rgb: its colour.
        lesion: number of the lesion, from 1; 0 for a whole structure.
        cells: a number for each column; none for a structure that was not found.
        centroid_mm: its centre of gravity, in RAS+ mm.
        remarks: what must be known of it.
    """

    value: int
    name: str
    rgb: tuple[int, int, int]
    lesion: int
    cells: tuple[Cell, ...]
    centroid_mm: tuple[float, float, float] | None
    remarks: tuple[str, ...]


def list_columns(unit: str) -> list[Column]:
    """The columns of the table; `unit` is that of the values of the image, "" where unknown."""
    values = unit or "a.u."
    within = "of the values of the image within the structure"
    return [
        Column("Volume", "mL", "number of voxels times the volume of one", "volume_ml"),
        Column("Long axis", "mm", "longest line across the outline in one slice", "long_axis_mm"),
        Column("Slice", "", "number of the slice with the long axis", "slice_index"),
        Column(
            "Perpendicular",
            "mm",
            "longest line across the long axis, in the same slice and within the structure",
            "perpendicular_mm",
        ),
        Column(
            "Least width",
            "mm",
            "narrowest calliper around the outline in the same slice",
            "width_mm",
        ),
        Column("3D diameter", "mm", "longest line in all directions", "largest_diameter_mm"),
        Column("Surface", "cm²", "area of the surface", "surface_mm2"),
        Column(
            "Mean (SD of voxels)",
            values,
            f"mean {within}, and in brackets how much they differ from voxel to voxel (standard "
            "deviation)",
            "intensities",
        ),
        Column(
            "Middle 90 %",
            values,
            f"from the 5th to the 95th percentile {within}",
            "intensities",
        ),
        Column(
            "Expected Dice",
            "not calibrated",
            "overlap with the true outline, 0 to 1, estimated by the network itself; most networks "
            "are too confident, so compare cases of one bundle with it",
            "confidence",
        ),
    ]


def list_rows(
    measured: Sequence[Mapping[str, Any]],
    labels: LabelTable,
    names: Sequence[str],
    *,
    kept: frozenset[int] | None = None,
) -> list[Row]:
    """The rows of the table, each structure with its largest lesions behind it.

    Args:
        measured: as `describe_measurement` gives them.
        labels: what the values mean.
        names: of the classes, in order.
        kept: the label values that the page can draw; None for all.
    """
    rows = []
    left_out: dict[int, list[float]] = {}
    for one in measured:
        if one["lesion"] > MOST_LESIONS:
            left_out.setdefault(one["value"], []).append(one["volume_ml"])
            continue
        rows.append(_make_row(one, labels, names, kept))
    return [_remark_lesions(row, left_out.get(row.value, [])) for row in rows]


def list_reasons(rows: Sequence[Row]) -> dict[str, str]:
    """A letter for each reason why numbers are missing: {"a": "the axes ..."}."""
    reasons = dict.fromkeys(cell.reason for row in rows for cell in row.cells if cell.reason)
    return {chr(ord("a") + i): reason for i, reason in enumerate(reasons)}


def _make_row(
    one: Mapping[str, Any],
    labels: LabelTable,
    names: Sequence[str],
    kept: frozenset[int] | None,
) -> Row:
    label = labels[one["value"]]
    name = names[label.index - 1] if not one["lesion"] else f"lesion {one['lesion']}"
    centroid = one["centroid_mm"]
    return Row(
        value=label.index,
        name=name,
        rgb=label.rgb,
        lesion=one["lesion"],
        cells=tuple(_list_cells(one)) if one["voxels"] else (),
        centroid_mm=None if centroid is None else tuple(centroid),
        remarks=tuple(_list_remarks(one, label.members or (label.index,), kept)),
    )


def _list_cells(one: Mapping[str, Any]) -> Iterator[Cell]:
    yield Cell(format_volume(one["volume_ml"]).removesuffix(" mL"))
    yield _format(one, "long_axis_mm", format_length)
    yield _number_slice(one)
    for name in ("perpendicular_mm", "width_mm", "largest_diameter_mm"):
        yield _format(one, name, format_length)
    yield _format(one, "surface_mm2", lambda mm2: format_area(mm2 / 100))
    values = one["intensities"]
    if values is None:
        yield from [Cell(reason=_find_reason(one, "intensities"))] * 2
    else:
        yield Cell(f"{_show(values['mean'])} ({_show(values['standard_deviation'])})")
        yield Cell(f"{_show(values['percentiles']['5'])} to {_show(values['percentiles']['95'])}")
    confidence = one["confidence"]
    reason = _find_reason(one, "confidence")
    yield Cell(reason=reason) if confidence is None else Cell(f"{confidence:.2f}")


def _format(one: Mapping[str, Any], name: str, write: Callable[[float], str]) -> Cell:
    if one[name] is None:
        return Cell(reason=_find_reason(one, name))
    return Cell(write(one[name]))


def _number_slice(one: Mapping[str, Any]) -> Cell:
    """The slice with the long axis, counted from 1; without one, why there is no long axis."""
    if one["slice_index"] is None:
        return Cell(reason=_find_reason(one, "long_axis_mm"))
    return Cell(str(one["slice_index"] + 1))


def format_length(mm: float) -> str:
    """A length to the tenth of a millimetre, and a long one to the millimetre.

    Example:
        >>> format_length(207.36), format_length(13.45), format_length(6.5)
        ('207', '13.4', '6.5')
    """
    return f"{mm:.{0 if mm >= 99.95 else 1}f}"


def format_area(value: float) -> str:
    """An area with three digits, and all of those before the point.

    Example:
        >>> format_area(1195.04), format_area(207.36), format_area(13.45), format_area(6.5)
        ('1195', '207', '13.4', '6.50')
    """
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def _find_reason(one: Mapping[str, Any], name: str) -> str:
    return str(one["reasons"].get(name, "it was not measured"))


def _show(value: float | None) -> str:
    """A value of the image with about four digits, and a proper minus."""
    if value is None:
        return "?"
    digits = 1 if abs(value) < 1000 else 0
    text = f"{value:.{digits}f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _list_remarks(
    one: Mapping[str, Any], members: Sequence[int], kept: frozenset[int] | None
) -> Iterator[str]:
    if one["is_at_edge"]:
        yield AT_EDGE
    if one["voxels"] and not one["lesion"] and kept is not None and not kept & set(members):
        yield NOT_SHOWN


def _remark_lesions(row: Row, left_out: Sequence[float]) -> Row:
    """The row of a structure, with how many of its lesions have none."""
    if row.lesion or not left_out:
        return row
    volume = format_volume(sum(left_out))
    text = f"{len(left_out)} smaller lesions, {volume} in all, are in the table of measurements"
    return Row(**{**vars(row), "remarks": (*row.remarks, text)})
