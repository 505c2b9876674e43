"""Case page: the page of one case, with viewer, table of measurements and how it was made."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import nibabel as nib
from markupsafe import Markup
from PIL import Image

from medseg.labels import LabelTable
from medseg.report.page.compose import read_asset, render, write_page
from medseg.report.page.doubts import list_doubts
from medseg.report.page.shown_volume import HU_RANGE, ShownVolume
from medseg.report.page.structure_table import (
    NOT_FOUND,
    Row,
    list_columns,
    list_reasons,
    list_rows,
)
from medseg.report.page.windows import list_windows

SCHEMA = "medseg-report-1"
"""Names the fields of the summary at the start of a page, which the index page reads."""

SUMMARY = "summary"
"""The name of the summary among the data of a page."""

ENDING = "_report.html"
"""What follows the name of a case in the name of its page."""

PRINT_HEIGHTS = tuple(range(45, 176, 10))
"""Heights in mm that the preview has at most in print; the styles have a class for each."""

MANY_ROWS = 12
"""A longer table is printed in smaller letters."""

FEW_ROWS = 4
"""Above a shorter table the printed preview is larger."""

_SPARE_MM = 10
_PAPER_MM = 275  # of A4 between its margins
_OTHERS_MM = 92  # of heading, head of the table, the words below it, and headlines

LICENCE = "niivue.LICENSE.txt"
LIBRARY, LIBRARY_VERSION = "niivue.umd.js", "0.69.0"


@dataclass(frozen=True)
class CaseFacts:
    """What the page of a case says.

    Args:
        case: its name.
        made_by: the bundle and its version.
        labels: what the values of the label map mean.
        names: of the classes, in order.
        day: of the segmentation.
        task: of the bundle.
        notes: what must be known of the case.
        measured: as `describe_measurement` gives them; None where nothing was measured.
        unit: of the values of the image, "HU" for CT.
        patient: names and values from the headers, where they are to be shown.
        manifest: how it was made, names and values.
        files: names of the files of the case, beside the page.
        preview: the preview as PNG; None for none.
        preview_file: its name beside the page; "" where there is none.
        window: the window of the preview, where the bundle has one.
        thumbnail: a small picture as JPEG, for the index page; None for none.
    """

    case: str
    made_by: str
    labels: LabelTable
    names: Sequence[str]
    day: date
    task: str = ""
    notes: Sequence[str] = ()
    measured: Sequence[Mapping[str, Any]] | None = None
    unit: str = ""
    patient: Sequence[tuple[str, str]] = ()
    manifest: Sequence[tuple[str, str]] = ()
    files: Sequence[str] = ()
    preview: bytes | None = None
    preview_file: str = ""
    window: tuple[float, float] | None = None
    thumbnail: bytes | None = None

    @property
    def warnings(self) -> list[str]:
        """The notes, and what the measurements give reason to doubt."""
        return [*self.notes, *list_doubts(self.measured or (), self.names)]


def write_case_page(path: str | os.PathLike, facts: CaseFacts, shown: ShownVolume) -> None:
    """Write the page of a case, whole or not at all, as one file that needs no other.

    Args:
        path: of the page.
        facts: what it says.
        shown: the volumes of its viewer.
    """
    rows = list_rows(facts.measured or [], facts.labels, facts.names, kept=shown.kept)
    windows = list_windows(facts.unit, shown.percentiles, preview=facts.window)
    start = next((row.centroid_mm for row in rows if row.centroid_mm), None)
    body = render(
        "case.html",
        case=facts.case,
        made_by=facts.made_by,
        day=facts.day.isoformat(),
        patient=facts.patient,
        task=facts.task,
        notes=facts.warnings,
        labels=facts.labels.foreground,
        unit=facts.unit,
        windows=windows,
        picture=None if facts.preview is None else _encode(facts.preview),
        picture_size=(0, 0) if facts.preview is None else _measure_picture(facts.preview),
        rows=rows,
        columns=list_columns(facts.unit),
        print_height=_find_print_height(rows, facts),
        preview_file=facts.preview_file,
        marks={reason: mark for mark, reason in list_reasons(rows).items()},
        not_found=NOT_FOUND,
        encloses=any(label.members for label in facts.labels),
        manifest=facts.manifest,
        files=facts.files,
        shown=describe_shown(shown, facts.unit),
        library_version=LIBRARY_VERSION,
        licence=Markup("{}").format(read_asset(LICENCE)),
    )
    files = {"image": shown.image, "mask": shown.mask, "solid": shown.solid}
    viewer = {
        "labels": [vars_of_label(label) for label in facts.labels.foreground],
        "windows": [vars(window) for window in windows],
        "unit": facts.unit,
        "start": start,
        "axes": _describe_axes(shown),
    }
    write_page(
        path,
        f"{facts.case}: segmentation report",
        body,
        data={SUMMARY: summarise(facts), "viewer": viewer},
        files={name: file for name, file in files.items() if file is not None},
        scripts=("base.js", "viewer.js"),
        library=LIBRARY,
    )


def summarise(facts: CaseFacts) -> dict[str, Any]:
    """What the index page has of a case."""
    measured = facts.measured or []
    return {
        "schema": SCHEMA,
        "case": facts.case,
        "bundle": facts.made_by,
        "day": facts.day.isoformat(),
        "notes": facts.warnings,
        "thumbnail": None if facts.thumbnail is None else _encode(facts.thumbnail),
        "structures": [
            {
                "name": facts.names[one["value"] - 1],
                "volume_ml": one["volume_ml"],
                "is_at_edge": bool(one["is_at_edge"]),
                "lesions": sum(o["lesion"] > 0 for o in measured if o["value"] == one["value"]),
            }
            for one in measured
            if not one["lesion"]
        ],
    }


def describe_shown(shown: ShownVolume, unit: str) -> str:
    """How the volumes of the viewer differ from those of the files."""
    i, j, k = shown.shrink
    parts = []
    if shown.shrink != (1, 1, 1):
        spacing = " x ".join(f"{mm:.2g}" for mm in shown.geometry.spacing_mm)
        parts.append(
            f"The viewer shows a coarser grid, {i} x {j} x {k} voxels as one of {spacing} mm: the "
            "image is averaged, and of the labels the one in the middle is taken, so that edges "
            "and small structures differ from the label map. All numbers are those of the full grid"
        )
    else:
        parts.append("The viewer shows the full grid of the image")
    if unit == "HU":
        low, high = (f"{v:.0f}".replace("-", "\N{MINUS SIGN}") for v in HU_RANGE)
        parts.append(f"Values in it are limited to {low} to {high} HU")
    return ". ".join(parts) + "."


def vars_of_label(label: Any) -> dict[str, Any]:
    """What the viewer needs of a label."""
    return {"value": label.index, "name": label.name, "rgb": list(label.rgb)}


def _describe_axes(shown: ShownVolume) -> list[dict[str, Any]]:
    """For the axes to the right, front and head: how many voxels of the file became one, how many
    the file has, and whether it counts them the other way round."""
    orientation = nib.orientations.io_orientation(shown.geometry.affine)
    places = orientation[:, 0].astype(int).tolist()
    return [
        {
            "shrink": shown.shrink[axis],
            "count": shown.source_shape[axis],
            "turned": bool(orientation[axis, 1] < 0),
        }
        for axis in map(places.index, range(3))
    ]


def _find_print_height(rows: Sequence[Row], facts: CaseFacts) -> int:
    """The height in mm, one of `PRINT_HEIGHTS`, that a printed page has for the preview."""
    notes = sum(1 + len(note) // 110 for note in facts.warnings)
    long = sum(len(value) > 105 for _, value in facts.manifest)
    remarks = sum(len(row.remarks) for row in rows)
    row_mm = 4.2 if len(rows) > MANY_ROWS else 4.9
    spare_mm = _SPARE_MM if len(rows) <= FEW_ROWS else 0
    used_mm = (
        _OTHERS_MM - spare_mm + row_mm * len(rows) + 5 * remarks + 2.5 * len(facts.patient)
        + (4.1 * notes + 13 if notes else 0) + 3.5 * (len(facts.manifest) + long + 2)
    )  # fmt: skip
    fitting = [one for one in PRINT_HEIGHTS if one <= _PAPER_MM - used_mm]
    return max(fitting, default=min(PRINT_HEIGHTS))


def _encode(file: bytes) -> str:
    return base64.b64encode(file).decode()


def _measure_picture(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.size
