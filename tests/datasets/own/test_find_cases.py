"""Tests of medseg.datasets.own.find_cases: each form of data is told apart."""

from __future__ import annotations

import pytest
from planning.test_plan_folder import write_case

from medseg.datasets.own.find_cases import find_cases


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        write_case(tmp_path / "scans", f"p{number}")
    return tmp_path / "scans"


def test_patterns_beside_a_table_are_refused(data):
    table = data / "cases.csv"
    table.write_text("image,label\nimages/p0.nii.gz,labels/p0.nii.gz\n")
    with pytest.raises(ValueError, match="names the files itself: pass no --images"):
        find_cases(table, out=data, images="*.nii.gz")


def test_a_folder_that_is_not_there_or_has_no_images_is_refused(data):
    with pytest.raises(FileNotFoundError, match="no folder or table"):
        find_cases(data / "gone", out=data)
    (data / "empty").mkdir()
    with pytest.raises(ValueError, match="no DICOM series with a Segmentation or an RT Structure"):
        find_cases(data / "empty", out=data)


def test_a_rule_and_a_pattern_do_not_go_together(data):
    with pytest.raises(ValueError, match="either one pattern of files, or one rule or more"):
        find_cases(data, out=data, labels=["*_seg.nii.gz", "Kidney*=kidney"])


def test_a_single_image_is_refused_with_what_to_pass(data):
    for name in ("images/p0.nii.gz", "a.png", "a.dcm"):
        (data / name).touch()
        with pytest.raises(ValueError, match="is a single image: give the folder that holds"):
            find_cases(data / name, out=data)
