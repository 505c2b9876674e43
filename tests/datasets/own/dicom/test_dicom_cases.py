"""Tests of medseg.datasets.own.dicom.dicom_cases: what the image and the labels of a case are."""

import pydicom
import pytest
from datasets.own.dicom.made_studies import write_study

from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.dicom.dicom_cases import (
    UNMATCHED,
    DicomChoices,
    describe_case,
    list_cases,
)
from medseg.datasets.own.dicom.labelled_series import find_labelled_series


@pytest.fixture
def studies(tmp_path):
    for patient in range(2):
        write_study(tmp_path, patient)
    return tmp_path


def list_all(root, *channels, names=None):
    labelled, faults = find_labelled_series(root)
    assert not faults
    found = {"box": "box"} if names is None else names
    choices = DicomChoices(found, root, ChannelRules(channels), several_readers=False)
    return list_cases(labelled, choices)


def test_the_image_is_the_series_of_the_labels_or_those_of_the_channels(studies):
    cases, faults = list_all(studies)
    assert not faults
    assert [[*case.images] for case in cases] == [[""], [""]]
    assert all(case.images[""] is case.series for case in cases)
    cases, faults = list_all(studies, "flair", "t1")
    assert not faults
    assert [[*case.images] for case in cases] == [["flair", "t1"]] * 2
    assert all(case.images["t1"] is case.series for case in cases)


def test_the_table_has_a_row_for_each_object_and_each_channel(studies):
    cases, _ = list_all(studies, "flair", "t1")
    assert [*describe_case(cases[0], {"box": "box"}, studies)] == [
        ("case_001", "p0/t1", "SEG p0/seg.dcm", "box = box"),
        ("case_001", "p0/flair", "channel flair", "series 7 (MR, 12 slices)"),
        ("case_001", "p0/t1", "channel t1", "series 4 (MR, 12 slices)"),
    ]
    (row,) = describe_case(list_all(studies, names={})[0][0], {}, studies)
    assert row[-1] == f"box = left out; {UNMATCHED}"


def test_an_object_that_was_drawn_on_two_series_is_of_the_first_channel_among_them(studies):
    for patient in range(2):
        path = studies / f"p{patient}" / "seg.dcm"
        seg = pydicom.dcmread(path)
        other = pydicom.Dataset()
        other.SeriesInstanceUID = f"1.2.840.77.{patient}.2.7"
        seg.ReferencedSeriesSequence.append(other)
        seg.save_as(path)
    for channels, folder in ((("flair", "t1"), "flair"), (("t1", "flair"), "t1")):
        cases, faults = list_all(studies, *channels)
        assert not faults
        assert [case.folder for case in cases] == [f"p0/{folder}", f"p1/{folder}"]
