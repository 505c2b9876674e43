"""Tests of medseg.report.page.write_report: a page lies beside the label map, and tells no more."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
from ingest.dicom_writer import make_series, write_series
from monai.data import MetaTensor
from PIL import Image

from medseg.inference.outputs.notes import FACTS, add_found, add_notes
from medseg.inference.preview.source import DRAWN, VALUES
from medseg.ingest import find_series, read_series
from medseg.report import WriteMeasurementsd, WriteReportd

CLASSES = {"liver": [1, 2], "tumour": [2]}


def make_case(path="study.nii.gz", *, affine=None, shape=(12, 10, 8), values=None):
    mask = np.zeros(shape, np.uint8)
    mask[1:-2, 1:-2, 1:2] = 1
    affine = torch.eye(4, dtype=torch.float64) if affine is None else torch.tensor(affine)
    meta = {
        "original_affine": affine.numpy(),
        "spatial_shape": np.array(shape),
        "filename_or_obj": str(path),
    }
    return {
        "case": "study",
        "image": MetaTensor(torch.zeros(1, *shape), affine=affine, meta=meta),
        "pred": MetaTensor(torch.as_tensor(mask[None]), affine=affine),
        VALUES: np.zeros(shape, np.int16) if values is None else values,
    }


@pytest.fixture
def write(tmp_path):
    """The page that is written of a case, and the case's data."""

    def call(case=None, **options):
        options = {"classes": CLASSES, "modality": "CT", "made_by": "liver 0.1.0", **options}
        data = WriteReportd("pred", tmp_path, **options)(case or make_case())
        path = tmp_path / "study_report.html"
        return (path.read_text(encoding="utf-8") if path.is_file() else None), data

    return call


@pytest.fixture
def study(tmp_path):
    """A case of a DICOM series with a patient."""
    slices = make_series()
    for dataset in slices:
        dataset.PatientName, dataset.PatientID = "<script>alert('x')</script>^Jane", "ID-4711"
        dataset.PatientBirthDate = "19700131"
        dataset.SeriesNumber, dataset.SeriesDescription = 4, "Jane, portal venous"
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    values, geometry = read_series(series)
    case = make_case(
        tmp_path / "ct", affine=geometry.affine.copy(), shape=geometry.shape, values=values
    )
    return case, series


def test_a_page_lies_beside_the_label_map_and_is_named_in_the_facts(write):
    page, data = write()
    assert data[FACTS]["report"] == "study_report.html"
    assert "<h1>study</h1>" in page


def test_it_shows_measurements_files_notes_and_the_preview(write, tmp_path):
    case = make_case()
    add_notes(case["image"], ["forced: this is a mask"])
    case = WriteMeasurementsd("pred", tmp_path, classes=CLASSES, modality="CT")(case)
    case = add_found(case, seg="study_seg.dcm")
    Image.new("RGB", (31, 17)).save(tmp_path / "drawn.png")
    page, _ = write({**case, DRAWN: tmp_path / "drawn.png"})
    assert "FORCED: this is a mask" in page
    assert 'width="31" height="17"' in page
    for name in ("study.nii.gz", "study_seg.dcm", "study_measurements.json"):
        assert f'href="./{name}"' in page
    assert 'href="./study_measurements.csv"' in page
    assert page.count("Move the crosshair to its centre") == 1


def test_without_it_the_page_of_an_earlier_label_map_is_gone(write):
    assert write()[0]
    page, data = write(enabled=False)
    assert page is None
    assert "report" not in data.get(FACTS, {})


def test_the_series_is_named_and_the_patient_is_not(write, study):
    case, series = study
    page, _ = write(case)
    assert series.uid in page
    assert "<dt>Series number</dt><dd>4</dd>" in page
    for text in ("Jane", "ID-4711", "19700131", "1970-01-31", "portal"):
        assert text not in page


def test_the_patient_is_shown_when_that_is_asked_for_and_stays_text(write, study, caplog):
    case, _ = study
    caplog.set_level(logging.DEBUG)
    page, _ = write(case, show_patient=True)
    for text in ("Jane", "ID-4711", "1970-01-31", "Jane, portal venous"):
        assert text in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;, Jane" in page
    assert "Jane" not in caplog.text
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    ("options", "limits"),
    [({"window": [-150, 240]}, (-150.0, 240.0)), ({"percentiles": [0, 100]}, (0.0, 959.0))],
)
def test_the_viewer_begins_with_the_window_of_the_preview(write, options, limits):
    values = np.arange(960, dtype=np.int16).reshape(12, 10, 8)
    page, _ = write(make_case(values=values), **options)
    low, high = limits
    assert f'"name": "As in the preview", "low": {low}, "high": {high}' in page


def make_forced_mr():
    """An image without air and without values below 0, which was forced through a bundle for CT."""
    case = make_case(values=(np.arange(960, dtype=np.int16) % 400).reshape(12, 10, 8))
    add_notes(case["image"], ["forced: this is not a CT in Hounsfield units"])
    return case


def test_an_image_that_was_forced_through_a_bundle_for_ct_has_no_hounsfield_units(write, tmp_path):
    case = WriteMeasurementsd("pred", tmp_path, classes=CLASSES, modality="CT")(make_forced_mr())
    assert json.loads((tmp_path / "study_measurements.json").read_text())["unit"] is None
    page, _ = write(case, window=[-150, 240])
    assert "a.u." in page
    assert '"unit": ""' in page
    assert '"name": "1 to 99 %"' in page
    for text in ("Window (HU)", "Soft tissue", "As in the preview"):
        assert text not in page


def test_the_task_the_scores_and_the_faults_of_the_bundle_are_stated(write, tmp_path):
    stated = {"task": "Organs <in> CT", "eval_metrics": {"test_mean_dice": 0.88}}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/metadata.json").write_text(
        json.dumps({**stated, "known_faults": ["it marks the spleen"]})
    )
    page, _ = write(bundle_root=tmp_path)
    for text in ("Organs &lt;in&gt; CT", "test mean Dice 0.88", "it marks the spleen"):
        assert text in page
    assert "none is known" in write(bundle_root=tmp_path / "none")[0]


def test_a_name_with_odd_letters_is_written(write, tmp_path):
    write({**make_case(), "case": "a\udcff <b>"})
    (path,) = tmp_path.glob("*_report.html")
    page = path.read_text(encoding="utf-8")
    assert "a\\udcff &lt;b&gt;</h1>" in page
    assert 'href="./a%FF%20%3Cb%3E.nii.gz"' in page
