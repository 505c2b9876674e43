"""Tests of medseg.report.followup.case: what a path stands for, and what is not guessed."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from report.followup.bodies import make_grid
from report.followup.studies import CLASSES, save, write_study

from medseg.datasets import phantom
from medseg.ingest import IngestError, find_series, load
from medseg.labels import make_table
from medseg.report.followup.case import parse_date, read_case

GRID = make_grid((12, 10, 8), (2.0, 2.0, 3.0))
MASK = np.zeros(GRID.shape, np.uint8)
MASK[3:7, 3:7, 2:5] = 2
IMAGE = np.random.default_rng(0).normal(size=GRID.shape)


def read(path, **options):
    asked = {"side": "before", "image": None, "day": None, "needs_image": True, **options}
    return read_case(path, **asked)


def test_a_folder_with_one_case_has_its_mask_labels_and_image(tmp_path):
    found = read(write_study(tmp_path / "a", MASK, GRID, image=IMAGE))
    assert found.name == "study"
    np.testing.assert_array_equal(found.mask, MASK)
    np.testing.assert_allclose(found.image, IMAGE, rtol=1e-6)
    assert found.geometry.same_grid(GRID)
    assert found.labels == make_table(CLASSES)
    assert (found.made_by, found.date) == ("liver 0.1.0", None)


def test_a_label_map_in_the_folder_is_as_good(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, image=IMAGE)
    assert read(folder / "study.nii.gz").image_file == tmp_path / "a_image.nii.gz"


def test_of_several_cases_one_has_to_be_named(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, record=False)
    save(MASK, GRID, folder / "other.nii.gz")
    with pytest.raises(ValueError, match=r"2 label maps \(other.nii.gz, study.nii.gz\): pass one"):
        read(folder)


def test_a_folder_without_a_label_map_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no label map: run medseg segment first"):
        read(tmp_path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*--before takes"):
        read(tmp_path / "none")


def test_without_a_label_table_nothing_is_guessed(tmp_path):
    with pytest.raises(ValueError, match=r"no labels\.json beside .*alone\.nii\.gz"):
        read(save(MASK, GRID, tmp_path / "alone.nii.gz"))


def test_a_value_that_the_table_lacks_is_refused(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, image=IMAGE, classes=["liver"])
    with pytest.raises(IngestError, match="2"):
        read(folder)


@pytest.mark.parametrize("record", [True, False])
def test_an_image_that_no_record_names_has_to_be_passed(record, tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, record=record)
    with pytest.raises(ValueError, match=r"no record beside .* says where .*: pass --before-image"):
        read(folder)
    assert read(folder, needs_image=False).image is None
    other = save(IMAGE, GRID, tmp_path / "ct.nii.gz")
    assert read(folder, image=other).image_file == other


def test_an_image_that_was_moved_has_to_be_passed(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, image=IMAGE)
    (tmp_path / "a_image.nii.gz").rename(tmp_path / "elsewhere.nii.gz")
    with pytest.raises(FileNotFoundError, match=r"is not at .*a_image.*: pass --after-image"):
        read(folder, side="after")
    assert read(folder, needs_image=False).image is None


def test_the_image_of_another_case_is_refused(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID)
    other = make_grid((12, 10, 9), (2.0, 2.0, 3.0))
    wrong = save(np.zeros(other.shape), other, tmp_path / "ct.nii.gz")
    with pytest.raises(ValueError, match=r"ct.nii.gz is not the image of .*shape"):
        read(folder, image=wrong)


def test_the_latest_record_of_a_case_counts(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, image=IMAGE)
    first = folder / "segmentation_2026-01-02_03-04-05.json"
    record = json.loads(first.read_text())
    record["bundle"] = "liver 0.2.0"
    (folder / "segmentation_2026-02-02_03-04-05.json").write_text(json.dumps(record))
    assert read(folder).made_by == "liver 0.2.0"


def test_a_damaged_record_is_refused_with_its_name(tmp_path):
    folder = write_study(tmp_path / "a", MASK, GRID, image=IMAGE)
    (folder / "segmentation_2027-01-01_00-00-00.json").write_text("{")
    with pytest.raises(ValueError, match=r"segmentation_2027.*is no record .*: move it away"):
        read(folder)


def test_the_image_of_one_series_of_several_is_found_by_its_uid(tmp_path):
    made = phantom.write("ct", tmp_path / "ct", cases=1, seed=0, size=48, slices=8, test_cases=2)
    series = find_series(made / "dicom")[1]
    mask = np.zeros(series.geometry.shape, np.uint8)
    facts = {"image": str(made / "dicom" / series.uid), "series_uid": series.uid}
    found = read(write_study(tmp_path / "a", mask, series.geometry, facts=facts))
    np.testing.assert_array_equal(found.image, load(made / "dicom", series_uid=series.uid)[0])
    assert found.image_file == made / "dicom"


def test_a_record_of_a_series_without_a_uid_names_its_folder(tmp_path):
    made = phantom.write("ct", tmp_path / "ct", cases=1, seed=0, size=48, slices=8)
    (series,) = find_series(made / "dicom")
    mask = np.zeros(series.geometry.shape, np.uint8)
    facts = {"image": str(made / "dicom"), "series_uid": ""}
    found = read(write_study(tmp_path / "a", mask, series.geometry, facts=facts))
    assert found.image.shape == mask.shape


def test_dicom_tells_its_date(tmp_path):
    made = phantom.write("ct", tmp_path / "ct", cases=1, seed=0, size=48, slices=8)
    (series,) = find_series(made / "dicom")
    mask = np.zeros(series.geometry.shape, np.uint8)
    facts = {"image": str(made / "dicom"), "series_uid": series.uid}
    folder = write_study(tmp_path / "a", mask, series.geometry, facts=facts)
    assert read(folder).date == date(2020, 1, 1)
    assert read(folder, day=date(2021, 5, 6)).date == date(2021, 5, 6)


def test_a_date_is_one_of_iso_8601():
    assert parse_date("2026-01-31") == date(2026, 1, 31)
    assert parse_date("31.1.2026") is None
    assert parse_date("") is None
