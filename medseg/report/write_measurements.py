"""Write measurements: what was measured in a case, for a program and for a table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from medseg.base.files import remove, whole
from medseg.base.text import format_csv_cell
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import MEASURED, add_found
from medseg.inference.outputs.source import get_source_geometry
from medseg.inference.outputs.value_unit import find_unit
from medseg.inference.preview.source import VALUES
from medseg.inference.tiles.expected_dice import read_expected_dice
from medseg.labels import LabelTable, make_table
from medseg.report.measure import PERCENTILES, Measurement, measure_structures

JSON_ENDING, CSV_ENDING = "_measurements.json", "_measurements.csv"
"""What follows the name of a case in the names of its measurements."""

SCHEMA = "medseg-measurements-1"
"""Names the fields of the JSON file; a field that changes its meaning changes this."""

_DIGITS = 4  # behind the decimal point
_PLAIN = (
    *("voxels", "volume_ml", "surface_mm2", "long_axis_mm", "perpendicular_mm", "width_mm"),
    *("slice_index", "slice_axis", "largest_diameter_mm", "is_at_edge", "confidence"),
)
_AXES = ("centroid_r_mm", "centroid_a_mm", "centroid_s_mm")
_STATISTICS = ("mean", "standard_deviation", "minimum", "maximum")
COLUMNS = (
    *("case", "structure", "value", "lesion", *_PLAIN, *_AXES, *_STATISTICS),
    *(f"percentile_{p}" for p in PERCENTILES),
    *("unit", "bundle"),
)
"""The columns of the table; its rows are the structures and, behind each, its lesions."""


class WriteMeasurementsd(MapTransform):
    """Writes `<case>_measurements.json` and `.csv` of a label map, see `measure_structures`.

    Lengths are in mm, volumes in mL, positions in RAS+ mm. What cannot be measured is null in the
    JSON file, which says why, and an empty cell in the table.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers.
        modality: "CT" has its values in HU, see `find_unit`.
        made_by: the bundle and its version.
        enabled: whether anything is written; files of an earlier label map are removed anyway.
        image_key: the image as it went into the network; its meta data know the source grid.

    Raises:
        ValueError: in the call, if the label map holds no class indices.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Mapping[str, Sequence[int]],
        modality: str = "",
        made_by: str = "",
        enabled: bool = True,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.labels = make_table(classes)
        self.modality = modality
        self.made_by = made_by
        self.enabled = enabled
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            case = str(data["case"])
            document, table = (self.output_dir / f"{case}{e}" for e in (JSON_ENDING, CSV_ENDING))
            for path in (document, table):
                remove(path)
            if not self.enabled:
                continue
            geometry = get_source_geometry(data[self.image_key])
            mask = read_class_indices(data[key], name=document.name)
            values = data.get(VALUES)
            unit = find_unit(data[self.image_key], values, modality=self.modality)
            confidence = read_expected_dice(data[self.image_key])
            found = measure_structures(
                mask, geometry, self.labels, image=values, confidence=confidence
            )
            made = {
                "schema": SCHEMA,
                "case": case,
                "bundle": self.made_by,
                "use": "research only",
                "grid": {"shape": geometry.shape, "spacing_mm": geometry.spacing_mm},
                "unit": unit or None,
                "structures": [describe_measurement(one, self.labels) for one in found],
            }
            with whole(document) as partial:
                partial.write_text(json.dumps(made, indent=2, allow_nan=False), encoding="utf-8")
            with whole(table) as partial, partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, restval="")
                writer.writeheader()
                about = {"case": case, "unit": unit, "bundle": self.made_by}
                for row in _list_rows(found):
                    cells = {**about, **row}
                    writer.writerow({name: format_csv_cell(cell) for name, cell in cells.items()})
            data = {**add_found(data, measurements=document.name), MEASURED: made["structures"]}
        return dict(data)


def describe_measurement(found: Measurement, labels: LabelTable) -> dict[str, Any]:
    """A measurement as the JSON file has it, with the code of its label."""
    kind = labels[found.value].type
    code = None if kind is None else asdict(kind)
    described: dict[str, Any] = round_numbers(asdict(found))
    return {"structure": described.pop("name"), **described, "code": code}


def _list_rows(found: Sequence[Measurement]) -> Iterator[dict[str, Any]]:
    """The rows of the table; what is None is left out."""
    for one in found:
        row = {"structure": one.name, "value": one.value, "lesion": one.lesion}
        row |= {name: getattr(one, name) for name in _PLAIN}
        row |= dict(zip(_AXES, one.centroid_mm or (), strict=False))
        if one.intensities is not None:
            row |= {name: getattr(one.intensities, name) for name in _STATISTICS}
            row |= {f"percentile_{p}": v for p, v in one.intensities.percentiles.items()}
        yield round_numbers({name: value for name, value in row.items() if value is not None})


def round_numbers(value: Any) -> Any:
    """Numbers of a document with four digits behind the point; what is not finite becomes None."""
    if isinstance(value, dict):
        return {key: round_numbers(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [round_numbers(each) for each in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if np.isfinite(value) else None
    return value
