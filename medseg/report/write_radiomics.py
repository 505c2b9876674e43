"""Write radiomics: the features of a case's structures, as a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from medseg.base.arguments import require_bool
from medseg.base.files import remove, whole
from medseg.base.text import format_csv_cell
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import add_found
from medseg.inference.outputs.source import get_source_geometry
from medseg.inference.preview.source import VALUES
from medseg.labels import make_table
from medseg.report.radiomics import check_radiomics, measure_radiomics

ENDING = "_radiomics.csv"
"""What follows the name of a case in the name of its table."""


class WriteRadiomicsd(MapTransform):
    """Writes `<case>_radiomics.csv`: a row for each structure, see `measure_radiomics`.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers.
        modality: "CT" has its values in HU.
        made_by: the bundle and its version.
        enabled: whether anything is written; a table of an earlier label map is removed anyway.
        image_key: the image as it went into the network; its meta data know the source grid.

    Raises:
        ImportError: enabled, and MIRP is not installed.
        ValueError: in the call, the label map holds no class indices, its grid is sheared, or the
            values of the image are not among the data.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Mapping[str, Sequence[int]],
        modality: str = "",
        made_by: str = "",
        enabled: bool = False,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        if require_bool(enabled, "radiomics"):
            check_radiomics()
        self.output_dir = Path(output_dir)
        self.labels = make_table(classes)
        self.is_ct = modality == "CT"
        self.made_by = made_by
        self.enabled = enabled
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}{ENDING}"
            remove(path)
            if not self.enabled:
                continue
            if VALUES not in data:
                raise ValueError(
                    f"{path.name} needs the values of the image, which are not at hand: write it "
                    "inside WritePreviewd, which reads them, or leave radiomics out"
                )
            found = measure_radiomics(
                read_class_indices(data[key], name=path.name),
                get_source_geometry(data[self.image_key]),
                data[VALUES],
                self.labels,
                is_ct=self.is_ct,
            )
            about = {"case": str(data["case"]), "bundle": self.made_by}
            names = dict.fromkeys(name for one in found for name in one.features)
            columns = ["case", "structure", "value", *names, "bundle"]
            with whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                for one in found:
                    row = {**about, "structure": one.name, "value": one.value, **one.features}
                    writer.writerow({name: format_csv_cell(cell) for name, cell in row.items()})
            data = add_found(data, radiomics=path.name)
        return dict(data)
