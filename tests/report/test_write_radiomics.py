"""Tests of medseg.report.write_radiomics."""

import csv
import importlib.util

import numpy as np
import pytest
from report.test_write_measurements import CLASSES, SHAPE, make_case

from medseg.inference.outputs.notes import FACTS
from medseg.report import WriteRadiomicsd, write_radiomics
from medseg.report.radiomics import Radiomics


@pytest.fixture
def features(monkeypatch):
    """Features without MIRP."""

    def measure(mask, geometry, image, labels, *, is_ct):
        features = {"stat_mean": float(image[mask > 0].mean())}
        return [
            Radiomics("liver", 1, features),
            Radiomics("tumour", 2, {}),
        ]

    monkeypatch.setattr(write_radiomics, "check_radiomics", lambda: None)
    monkeypatch.setattr(write_radiomics, "measure_radiomics", measure)


def write(folder, case, **options):
    options = {"classes": CLASSES, "modality": "CT", "made_by": "liver 0.1.0", **options}
    return WriteRadiomicsd("pred", folder, enabled=True, **options)(case)


def read(folder):
    with (folder / "study_radiomics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_structure_has_a_row_and_what_is_not_there_an_empty_cell(tmp_path, features):
    done = write(tmp_path, make_case(values=np.full(SHAPE, 60.0)))
    first, second = read(tmp_path)
    assert (first["case"], first["stat_mean"], first["bundle"]) == ("study", "60.0", "liver 0.1.0")
    assert (second["structure"], second["stat_mean"]) == ("tumour", "")
    assert done[FACTS]["radiomics"] == "study_radiomics.csv"


def test_a_case_of_any_name_is_no_formula_of_the_table(tmp_path, features):
    write(tmp_path, {**make_case(values=np.zeros(SHAPE)), "case": "=cmd()"})
    (table,) = tmp_path.glob("*.csv")
    assert "'=cmd()" in table.read_text()


def test_switched_off_a_table_of_an_earlier_label_map_is_removed(tmp_path):
    (tmp_path / "study_radiomics.csv").write_text("old")
    WriteRadiomicsd("pred", tmp_path, classes=CLASSES)(make_case())
    assert list(tmp_path.iterdir()) == []


def test_without_the_values_of_the_image_it_is_refused(tmp_path, features):
    with pytest.raises(ValueError, match="needs the values of the image"):
        write(tmp_path, make_case())


def test_without_the_package_it_is_refused_before_any_case(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"medseg\[radiomics\]"):
        WriteRadiomicsd("pred", tmp_path, classes=CLASSES, enabled=True)
