"""Tests of medseg.inference.cases.series_cases: a case for each series of a study."""

import logging
import re
from contextlib import suppress

import numpy as np
import pytest
import torch
from inference.cases.test_run import dataset, evaluator
from ingest.dicom_writer import make_series, ramp, write_series
from ingest.volume_writer import write_volume
from monai.data import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, SegmentationStorage

from medseg.inference import CasesFailedError, CheckImaged, find_cases, run_cases
from medseg.inference.cases.check_image import RefusedImageError
from medseg.inference.cases.report import FAILED, LEFT_OUT, REPORT, report_case
from medseg.inference.cases.series_cases import ONE_OF
from medseg.ingest import load
from medseg.ingest.load import split_series_path
from medseg.ingest.reader import VolumeReader


def add(folder, uid, *, number=None, count=3, modality="CT", **elements):
    slices = make_series(ramp((count, 6, 4)), uid=uid)
    for each in slices:
        each.Modality = modality
        each.SOPClassUID = MRImageStorage if modality == "MR" else CTImageStorage
        if number is not None:
            each.SeriesNumber = number
        for keyword, value in elements.items():
            setattr(each, keyword, value)
    write_series(folder, slices, suffix=f".{uid}")


def find(path, **kwargs):
    return find_cases(path, reader=VolumeReader(choose="all"), **kwargs)


def names(path, **kwargs):
    return [case["case"] for case in find(path, **kwargs)]


@pytest.fixture
def study(tmp_path):
    """Two CT series, an MR and a localizer."""
    folder = tmp_path / "study"
    add(folder, "1.2.4", number=4)
    add(folder, "1.2.11", number=11, count=5)
    add(folder, "1.2.7", number=7, modality="MR")
    add(folder, "1.2.1", number=1, count=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    return folder


def test_each_image_series_is_a_case_named_by_its_number(study):
    assert names(study) == ["study_series-4", "study_series-7", "study_series-11"]


def test_the_image_of_a_case_is_its_series_alone(study):
    case = find(study)[2]
    assert (case["image"], case[ONE_OF]) == (str(study / "1.2.11"), "study")
    assert split_series_path(study / "1.2.11") == (study, "1.2.11")
    array, _ = VolumeReader(choose="all").get_data([study / "1.2.11"])
    np.testing.assert_array_equal(array, load(study, series_uid="1.2.11")[0])
    assert array.shape == (4, 6, 5)


def test_a_series_that_the_bundle_is_not_for_is_left_out_with_the_reason(study, caplog):
    check = CheckImaged("image", modality="CT")
    assert names(study, check=check) == ["study_series-4", "study_series-11"]
    assert "study: left out: series 7 (MR, 3 slices): the DICOM header says MR" in caplog.text
    forced = CheckImaged("image", modality="CT", force=True)
    assert len(names(study, check=forced)) == 3


def test_what_is_left_out_is_known_to_the_reader_with_its_reason(study):
    reader = VolumeReader(choose="all")
    find_cases(study, reader=reader, check=CheckImaged("image", modality="CT"))
    assert reader.left_out == {
        "study_series-7": {
            "reason": "the DICOM header says MR, the network was trained on CT",
            "series_uid": "1.2.7",
        }
    }


def test_a_study_without_a_series_for_the_bundle_is_refused(study):
    for file in study.glob("*.1.2.7"):
        file.unlink()
    with pytest.raises(ValueError, match=r"none of 2 image series in .*CT.*medseg bundles list"):
        names(study, check=CheckImaged("image", modality="MR"))


def test_of_several_studies_one_without_a_series_for_the_bundle_is_left_out(tmp_path, caplog):
    add(tmp_path / "a", "1.2.4", number=4)
    add(tmp_path / "b", "1.2.7", number=7, modality="MR")
    assert names(tmp_path, check=CheckImaged("image", modality="CT")) == ["a_series-4"]
    assert "none of 1 image series in" in caplog.text
    assert "the study is left out" in caplog.text


def test_series_of_one_number_or_of_none_do_not_collide(tmp_path):
    for uid, number in (("1.2.4", 4), ("1.2.5", 4), ("1.2.6", None)):
        add(tmp_path / "s", uid, number=number)
    found = names(tmp_path / "s")
    assert len(set(found)) == 3
    patterns = ["s_series-4-[0-9a-f]{8}"] * 2 + ["s_series-[0-9a-f]{8}"]
    assert all(re.fullmatch(p, name) for p, name in zip(patterns, found, strict=True))
    assert names(tmp_path / "s") == found


def test_no_word_of_a_header_is_in_a_name(tmp_path):
    add(tmp_path / "s", "1.2.4", number=4, SeriesDescription="Doe^Jane", PatientName="Doe^Jane")
    assert names(tmp_path / "s") == ["s_series-4"]


def test_a_series_that_cannot_be_read_rightly_is_left_out_with_the_reason(tmp_path, caplog):
    add(tmp_path / "s", "1.2.4", number=4, count=6)
    add(tmp_path / "s", "1.2.5", number=5, count=6)
    (tmp_path / "s").joinpath(next(f.name for f in (tmp_path / "s").glob("*2*.1.2.5"))).unlink()
    assert names(tmp_path / "s") == ["s_series-4"]
    assert "s: left out: series 5 (CT, 5 slices)" in caplog.text


def test_a_series_without_a_uid_is_read_from_its_own_folder(tmp_path):
    add(tmp_path / "s" / "a", "1.2.4", number=4)
    add(tmp_path / "s" / "b", "1.2.5", number=5, SeriesInstanceUID="")
    add(tmp_path / "s", "1.2.6", number=6)
    assert {case["image"] for case in find(tmp_path / "s")} == {
        *(str(tmp_path / "s" / uid) for uid in ("1.2.4", "1.2.6")),
        str(tmp_path / "s" / "b"),
    }


def test_a_volume_file_is_a_case_as_ever(tmp_path, study):
    write_volume(tmp_path / "ct.nii.gz", np.zeros((3, 3, 3), np.int16))
    assert "ct" in names(tmp_path)


def test_a_folder_of_objects_alone_is_refused_by_what_it_holds(tmp_path):
    add(tmp_path / "s", "1.2.4", count=1, SOPClassUID=SegmentationStorage)
    said = (
        r"1 series in .*none of which is an image to segment: pass the folder of the image series"
    )
    with pytest.raises(ValueError, match=said):
        names(tmp_path / "s")


def test_a_damaged_folder_is_a_case_that_fails_when_it_is_read(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 20)
    assert names(tmp_path / "s") == ["s"]


@pytest.mark.parametrize("uid", ["1.2.4", "1.2"])
def test_a_file_of_the_name_goes_before_a_series_of_the_uid(tmp_path, uid):
    (tmp_path / "1.2.4").mkdir()
    assert split_series_path(tmp_path / uid) == (tmp_path / uid, None)


# ---- what is of another kind than its header says


def refuse_odd(data):
    if (value := int(data["image"].max())) % 2:
        raise RefusedImageError(f"{value} is odd")
    return data


def make_dataset(values):
    return Dataset([{**one, ONE_OF: "study"} for one in dataset(values).data], refuse_odd)


def test_a_series_of_another_kind_is_left_out_and_no_failure(caplog, reports):
    assert run_cases(evaluator(done=[]), make_dataset([2, 3, 4])) == 2
    assert "case c3 is left out: " in caplog.text
    assert [facts["case"] for became, facts in reports if became == LEFT_OUT] == ["c3"]


@pytest.mark.parametrize(("error", "kind"), [(RefusedImageError, LEFT_OUT), (OSError, FAILED)])
def test_what_became_of_a_series_is_reported_with_its_uid(error, kind, tmp_path, reports):
    def fail_with_the_other(data):
        if data["image"].endswith(".7"):
            raise error("no")
        return {**data, "image": torch.ones(1, 8, 8)}

    cases = [
        {"case": f"study_series-{n}", "image": str(tmp_path / f"1.2.{n}"), ONE_OF: "study"}
        for n in (7, 8)
    ]
    with suppress(CasesFailedError):
        run_cases(evaluator(done=[]), Dataset(cases, fail_with_the_other))
    (facts,) = [facts for became, facts in reports if became == kind]
    assert (facts["case"], facts["series_uid"]) == ("study_series-7", "1.2.7")


def test_where_all_series_are_of_another_kind_they_have_failed():
    with pytest.raises(CasesFailedError, match="2 of 2 cases failed"):
        run_cases(evaluator(done=[]), make_dataset([3, 5]))


@pytest.fixture
def reports():
    class Keep(logging.Handler):
        def emit(self, record):
            found.append(getattr(record, REPORT))

    found, handler = [], Keep()
    logger = logging.getLogger(report_case.__module__)
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)
