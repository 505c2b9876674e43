"""Tests of DICOM series that become cases: matched with what was drawn on them, and written."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from export.test_segmentation import ALGORITHM, draw_mask
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.datasets.own.dicom.dicom_cases import UNMATCHED
from medseg.datasets.own.find_cases import find_cases
from medseg.export import write_rtstruct, write_seg
from medseg.ingest import find_series, load
from medseg.labels import make_table

NAMES = ["Kidney Left", "Kidney Right"]


def write_study(root, name, *, kind="seg", names=NAMES, patient="Mustermann 17", seed=0):
    """A CT in a folder with a SEG or a Structure Set beside it."""
    slices = make_series(ramp((5, 16, 12)) + seed, step_mm=1.25)
    uid = f"1.2.840.99.{abs(hash(name)) % 10**8}"
    for number, dataset in enumerate(slices):
        dataset.PatientID = patient
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
        dataset.FrameOfReferenceUID = f"{uid}.3"
        dataset.SOPInstanceUID = f"{uid}.4.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    write_series(root / name, slices)
    (series,) = find_series(root / name)
    about = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM}
    write = {"seg": write_seg, "rtstruct": write_rtstruct}[kind]
    path = root / name / f"{kind}.dcm"
    write(draw_mask(series.geometry.shape), path, labels=make_table(names), **about)
    return series


@pytest.fixture
def studies(tmp_path):
    root = tmp_path / "scans"
    write_study(root, "a", kind="seg")
    write_study(root, "b", kind="rtstruct", patient="Beispiel 3", seed=10)
    write_study(root, "c", kind="rtstruct", seed=20)
    return root


def test_each_series_becomes_an_image_and_a_label_map_on_its_grid(studies, tmp_path):
    found = find_cases(studies, out=tmp_path / "out")
    assert not found.faults
    assert found.classes == {"kidney_left": [1], "kidney_right": [2]}
    assert [pair.case for pair in found.pairs] == ["case_001", "case_002", "case_003"]
    for pair, name in zip(found.pairs, "abc", strict=True):
        (series,) = [s for s in find_series(studies / name) if s.geometry is not None]
        image, grid = load(pair.images[0])
        assert grid.describe_difference(series.geometry) in (None, "")
        np.testing.assert_array_equal(image, load(studies / name / "", series_uid=series.uid)[0])
        np.testing.assert_array_equal(load(pair.label)[0], draw_mask(grid.shape))


def test_patients_are_numbered_and_their_ids_are_nowhere(studies, tmp_path):
    found = find_cases(studies, out=tmp_path / "out")
    assert [pair.patient for pair in found.pairs] == ["patient_001", "patient_002", "patient_001"]
    said = str(found) + " ".join(map(str, (tmp_path / "out").rglob("*")))
    assert "Mustermann" not in said
    assert "Beispiel" not in said


def test_rules_put_names_together_and_leave_others_out(studies, tmp_path):
    found = find_cases(studies, out=tmp_path / "out", labels=["kidney*=kidney"])
    assert found.classes == {"kidney": [1]}
    mask, grid = load(found.pairs[1].label)
    np.testing.assert_array_equal(mask, draw_mask(grid.shape) > 0)
    left = find_cases(studies, out=tmp_path / "two", labels=["*LEFT = left"])
    assert left.classes == {"left": [1]}
    assert "Kidney Right = left out" in left.rows[0][3]


def test_a_case_of_which_no_name_is_in_a_class_says_so_in_the_table(studies, tmp_path):
    write_study(studies, "d", names=["Spleen", "Liver"], seed=30)
    found = find_cases(studies, out=tmp_path / "out", labels=["kidney*=kidney"])
    assert [row[-1].endswith(UNMATCHED) for row in found.rows] == [False, False, False, True]
    assert found.rows[-1][-1] == f"Spleen = left out, Liver = left out; {UNMATCHED}"


def test_a_structure_that_is_no_outline_is_in_the_table_as_left_out(studies, tmp_path):
    (file,) = [
        path
        for path in sorted((studies / "b").rglob("*.dcm"))
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "RTSTRUCT"
    ]
    header = pydicom.dcmread(file)
    for contour in header.ROIContourSequence[1].ContourSequence:
        contour.ContourGeometricType = "POINT"
    header.save_as(file)
    found = find_cases(studies, out=tmp_path / "out")
    said = next(row[-1] for row in found.rows if row[2].startswith("RTSTRUCT b"))
    assert said.endswith("Kidney Right = left out, without a closed contour")


def test_a_rule_that_matches_nothing_names_what_there_is(studies, tmp_path):
    for rules in (["liver=liver"], ["kidney*=kidney", "liver=liver"]):
        with pytest.raises(ValueError, match=r"'liver=liver' .*Kidney Left, Kidney Right"):
            find_cases(studies, out=tmp_path / "out", labels=rules)
    with pytest.raises(ValueError, match="--labels 'kidney' names no class"):
        find_cases(studies, out=tmp_path / "out", labels=["kidney"])
    with pytest.raises(ValueError, match="--images is a pattern of files"):
        find_cases(studies, out=tmp_path / "out", images="*.dcm")
    assert not (tmp_path / "out").exists()


def test_a_name_without_a_voxel_in_any_case_is_no_class(tmp_path, caplog):
    write_study(tmp_path / "scans", "a", names=[*NAMES, "Spleen"])
    found = find_cases(tmp_path / "scans", out=tmp_path / "out")
    assert found.classes == {"kidney_left": [1], "kidney_right": [2]}
    assert "left out, without a voxel in any case: spleen" in caplog.text


def test_a_class_in_two_objects_is_a_fault(studies, tmp_path):
    (series,) = [s for s in find_series(studies / "a") if s.geometry is not None]
    about = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM}
    mask = draw_mask(series.geometry.shape)
    write_rtstruct(mask, studies / "a" / "again.dcm", labels=make_table(NAMES), **about)
    found = find_cases(studies, out=tmp_path / "out")
    assert len(found.pairs) == 2
    assert "2 label objects of this series hold kidney_left (again.dcm, seg" in found.faults[0]


def test_a_copy_of_an_object_is_a_fault(studies, tmp_path):
    shutil.copy(studies / "a" / "seg.dcm", studies / "a" / "seg_copy.dcm")
    found = find_cases(studies, out=tmp_path / "out", several_readers=True)
    (fault,) = found.faults
    assert fault == "a/seg_copy.dcm: it is a copy of a/seg.dcm: take one of them out"


def test_the_smaller_structure_has_the_voxels_that_two_claim(tmp_path, caplog):
    root = tmp_path / "scans"
    series = write_study(root, "a", kind="seg", names=["liver", "other"])
    about = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM}
    inner = np.zeros(series.geometry.shape, np.uint8)
    inner[2:4, 3:5, 1:3] = 1
    write_seg(inner, root / "a" / "tumour.dcm", labels=make_table(["tumour"]), **about)
    with caplog.at_level(logging.WARNING):
        found = find_cases(root, out=tmp_path / "out")
    assert next(iter(found.classes)) == "liver"
    mask, _ = load(found.pairs[0].label)
    np.testing.assert_array_equal(mask == found.classes["tumour"][0], inner > 0)
    assert "8 voxels of tumour on liver: the former has them" in caplog.text


@pytest.mark.realdata
def test_a_real_ct_with_a_structure_set_of_another_program_becomes_a_case(data_root, tmp_path):
    folder = data_root / "dicom" / "rt_utils_dicom" / "mock_data"
    source = tmp_path / "scans"
    source.mkdir()
    for name in ("ct_1.dcm", "ct_2.dcm", "rt.dcm"):
        (source / name).write_bytes(Path(folder / name).read_bytes())
    found = find_cases(source, out=tmp_path / "out")
    assert not found.faults
    assert len(found.pairs) == 1
    mask, _ = load(found.pairs[0].label)
    assert mask.max() == len(found.classes)
