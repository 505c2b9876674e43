"""Write: a comparison of two studies as followup.json, followup.csv and followup.html."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

from medseg.base.files import check_folder, whole
from medseg.base.text import format_csv_cell
from medseg.report.followup.case import Case
from medseg.report.followup.change import LesionChange
from medseg.report.followup.compare import Followup
from medseg.report.followup.match_lesions import LEAST_OVERLAP
from medseg.report.followup.page import format_page
from medseg.report.followup.recist import Recist
from medseg.report.followup.register import Registration
from medseg.report.provenance import describe_provenance, format_now
from medseg.report.write_measurements import describe_measurement, round_numbers

JSON_FILE, CSV_FILE, PAGE_FILE = "followup.json", "followup.csv", "followup.html"
SCHEMA = "medseg-followup-1"
"""Names the fields of the JSON file; a field that changes its meaning changes this."""

_MATRIX_DIGITS = 9  # so that far from the origin a place is still right

_SIZES = ("volume_ml", "long_axis_mm", "short_axis_mm")
_PARTS = ("before", "after", "change", "percent")
COLUMNS = (
    *("structure", "outcome", "lesions_before", "lesions_after", "is_target", "matched_by"),
    *("overlap", "distance_mm"),
    *(f"{size}_{part}" for size in _SIZES for part in _PARTS),
    *("doubling_days", "id"),
)
"""The columns of the table: first the whole structures, then the lesions."""


def check_room(folder: str | os.PathLike, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written to, or that has a comparison already.

    Raises:
        OSError: it cannot be made or written to.
        ValueError: it has a comparison, and `overwrite` is false.
    """
    there = [name for name in (JSON_FILE, CSV_FILE, PAGE_FILE) if (Path(folder) / name).exists()]
    if there and not overwrite:
        raise ValueError(
            f"{folder} has a comparison already ({', '.join(there)}): write to another folder, or "
            "pass --overwrite"
        )
    check_folder(folder)


def write_followup(found: Followup, folder: str | os.PathLike) -> dict[str, Path]:
    """Write followup.json, followup.csv and followup.html, all or none.

    Lengths are in mm, volumes in mL. What is not known is null in the JSON file, which says why,
    and an empty cell in the table.

    Args:
        found: what to write.
        folder: made if absent; files of an earlier comparison are replaced.

    Returns:
        The files by their kind: "json", "csv", "html".

    Raises:
        OSError: a file cannot be written.
    """
    contents = {
        "json": (JSON_FILE, json.dumps(describe_followup(found), indent=2, allow_nan=False) + "\n"),
        "csv": (CSV_FILE, _format_csv(found)),
        "html": (PAGE_FILE, format_page(found, day=date.today())),
    }
    places = {kind: Path(folder) / name for kind, (name, _) in contents.items()}
    with ExitStack() as until_all_are_written:
        for kind, (_, text) in contents.items():
            partial = until_all_are_written.enter_context(whole(places[kind]))
            partial.write_text(text, encoding="utf-8", newline="")
    return places


def describe_followup(found: Followup) -> dict[str, Any]:
    """A comparison as the JSON file has it."""
    described: dict[str, Any] = round_numbers(
        {
            "schema": SCHEMA,
            "use": "research only",
            "made": format_now(),
            **describe_provenance("cpu"),
            "before": _describe_case(found.before),
            "after": _describe_case(found.after),
            "days": found.days,
            "settings": {
                "least_overlap": LEAST_OVERLAP,
                "farthest_mm": found.farthest_mm,
                "smallest_ml": found.smallest_ml,
            },
            "registration": _describe_registration(found.registration),
            "recist": _describe_recist(found.recist, found.lesions),
            "structures": [_describe_change(one, found) for one in found.structures],
            "lesions": [_describe_change(one, found) for one in found.lesions],
            "warnings": found.warnings,
        }
    )
    matrix = found.registration.matrix.round(_MATRIX_DIGITS).tolist()
    described["registration"]["matrix_before_to_after_ras"] = matrix
    return described


def _describe_case(case: Case) -> dict[str, Any]:
    return {
        "case": case.name,
        "mask": os.path.abspath(case.mask_file),
        "image": None if case.image_file is None else os.path.abspath(case.image_file),
        "date": None if case.date is None else case.date.isoformat(),
        "bundle": case.made_by or None,
        "grid": {"shape": case.geometry.shape, "spacing_mm": case.geometry.spacing_mm},
    }


def _describe_registration(found: Registration) -> dict[str, Any]:
    return {
        "method": found.method,
        "shift_mm": found.shift_mm,
        "angle_degrees": found.angle_degrees,
        "overlap": found.overlap,
        "similarity_at_start": found.similarity_at_start,
        "similarity": found.similarity,
    }


def _find_letter(structure: str, lesion: int, lesions: Sequence[LesionChange], side: str) -> str:
    """The letter of a lesion by its number in one of the studies."""
    return next(
        change.letter
        for change in lesions
        if any((one.name, one.lesion) == (structure, lesion) for one in getattr(change, side))
    )


def _describe_recist(found: Recist, lesions: Sequence[LesionChange]) -> dict[str, Any]:
    return {
        "category": found.category,
        "reason": found.reason,
        "rule": found.rule,
        "targets": [
            {**vars(one), "id": _find_letter(one.structure, one.lesion, lesions, "before")}
            for one in found.targets
        ],
        "sum_before_mm": found.sum_before_mm,
        "sum_after_mm": found.sum_after_mm,
        "change_mm": found.change_mm,
        "change_percent": found.change_percent,
        "smallest_target_mm": found.smallest_mm,
        "new_lesions": [
            {"structure": name, "lesion": n, "id": _find_letter(name, n, lesions, "after")}
            for name, n in found.new_lesions
        ],
    }


def _describe_change(change: LesionChange, found: Followup) -> dict[str, Any]:
    described: dict[str, Any] = {"structure": change.structure}
    if (match := change.match) is not None:
        described |= {
            "id": change.letter,
            "outcome": match.outcome.value,
            "lesions_before": match.before,
            "lesions_after": match.after,
            "is_target": found.is_target(change),
            "matched_by": match.matched_by or None,
            "overlap": match.overlap if match.matched_by else None,
            "distance_mm": match.distance_mm,
        }
    for name in _SIZES:
        size = getattr(change, name)
        values = (size.before, size.after, size.absolute, size.percent)
        described[name] = dict(zip(_PARTS, values, strict=True))
    described |= {"doubling_days": change.doubling_days, "reasons": change.reasons}
    if match is not None:
        for side in ("before", "after"):
            case, measured = getattr(found, side), getattr(change, side)
            described[f"measured_{side}"] = [
                describe_measurement(one, case.labels) for one in measured
            ]
    return described


def _format_csv(found: Followup) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore")
    writer.writeheader()
    for change in (*found.structures, *found.lesions):
        row = round_numbers(_describe_change(change, found))
        for name in _SIZES:
            row |= {f"{name}_{part}": value for part, value in row[name].items()}
        for side in ("lesions_before", "lesions_after"):
            row[side] = " ".join(map(str, row.get(side, ())))
        cells = {name: row[name] for name in COLUMNS if row.get(name) is not None}
        writer.writerow({name: format_csv_cell(cell) for name, cell in cells.items()})
    return text.getvalue()
