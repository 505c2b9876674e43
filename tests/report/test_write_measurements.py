"""Tests of medseg.report.write_measurements: a program and a table get the same numbers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.inference.outputs.notes import FACTS
from medseg.inference.preview.source import VALUES
from medseg.report import WriteMeasurementsd
from medseg.report.write_measurements import COLUMNS

SHAPE = (12, 10, 8)
CLASSES = {"liver": [1, 2], "tumour": [2]}


def make_case(*, mask=None, values=None):
    if mask is None:
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:9, 2:8, 1:7] = 1
        mask[3, 3, 3] = mask[6:8, 5, 5] = 2
    affine = torch.diag(torch.tensor([0.8, 0.8, 3.0, 1.0], dtype=torch.float64))
    meta = {"original_affine": affine.numpy(), "spatial_shape": np.array(SHAPE)}
    case = {
        "case": "study",
        "image": MetaTensor(torch.zeros(1, *SHAPE), affine=affine, meta=meta),
        "pred": MetaTensor(torch.as_tensor(mask[None]), affine=affine),
    }
    return case if values is None else {**case, VALUES: values}


def write(folder, case, **options):
    options = {"classes": CLASSES, "modality": "CT", "made_by": "liver 0.1.0", **options}
    return WriteMeasurementsd("pred", folder, **options)(case)


def read(folder):
    document = json.loads((folder / "study_measurements.json").read_text(encoding="utf-8"))
    with (folder / "study_measurements.csv").open(newline="", encoding="utf-8") as file:
        return document, list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "cell"), [("=cmd()", "'=cmd()"), ("\udcff", "\\udcff"), ("two\nlines", "two\\nlines")]
)
def test_a_case_of_any_name_is_written_and_is_no_formula_of_the_table(tmp_path, name, cell):
    write(tmp_path, {**make_case(), "case": name})
    (table,) = tmp_path.glob("*.csv")
    with table.open(newline="", encoding="utf-8") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {cell}
    (document,) = tmp_path.glob("*.json")
    assert json.loads(document.read_text(encoding="utf-8"))["case"] == name


def test_document_and_table_agree(tmp_path):
    rng = np.random.default_rng(0)
    done = write(tmp_path, make_case(values=rng.normal(50, 9, SHAPE)))
    assert done[FACTS]["measurements"] == "study_measurements.json"
    document, rows = read(tmp_path)
    assert document["unit"] == "HU"
    assert [(row["structure"], row["lesion"]) for row in rows] == [
        *(("liver", "0"), ("tumour", "0"), ("tumour", "1"), ("tumour", "2")),
    ]
    assert list(rows[0]) == list(COLUMNS)
    for row, one in zip(rows, document["structures"], strict=True):
        for name in ("volume_ml", "long_axis_mm", "surface_mm2"):
            assert row[name] == ("" if one[name] is None else str(one[name]))
        assert float(row["mean"]) == one["intensities"]["mean"]
        assert float(row["centroid_s_mm"]) == one["centroid_mm"][2]
    assert rows[0]["voxels"] == str(7 * 6 * 6)
    assert document["structures"][0]["code"]["meaning"] == "Liver"


def test_what_cannot_be_measured_is_null_with_a_reason_and_an_empty_cell(tmp_path):
    write(tmp_path, make_case(mask=np.zeros(SHAPE, np.uint8)))
    document, rows = read(tmp_path)
    first = document["structures"][0]
    assert (first["volume_ml"], first["long_axis_mm"], first["intensities"]) == (0.0, None, None)
    assert first["reasons"]["long_axis_mm"] == "no voxel of the mask"
    assert (rows[0]["volume_ml"], rows[0]["long_axis_mm"], rows[0]["mean"]) == ("0.0", "", "")


def test_values_that_are_no_numbers_are_null(tmp_path):
    write(tmp_path, make_case(values=np.full(SHAPE, np.nan)))
    document, rows = read(tmp_path)
    assert document["structures"][0]["intensities"]["mean"] is None
    assert rows[0]["mean"] in ("", "nan")


def test_files_of_an_earlier_label_map_go_where_nothing_is_measured(tmp_path):
    write(tmp_path, make_case())
    write(tmp_path, make_case(), enabled=False)
    assert list(tmp_path.iterdir()) == []


def test_a_label_map_of_probabilities_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="probabilities"):
        write(tmp_path, make_case(mask=np.full(SHAPE, 0.5)))
    assert list(tmp_path.iterdir()) == []
