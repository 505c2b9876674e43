"""Tests of medseg.datasets.own.dicom.labelled_series: what was drawn on which series."""

import copy

import pydicom
import pytest
from datasets.own.dicom.test_convert import studies as studies  # a fixture

from medseg.datasets.own.dicom.labelled_series import find_labelled_series
from medseg.ingest import find_series


def test_an_object_whose_series_is_not_there_is_a_fault(studies, tmp_path):
    for file in (studies / "b").glob("*.dcm"):
        if file.name != "rtstruct.dcm":
            file.unlink()
    labelled, faults = find_labelled_series(studies)
    assert len(labelled) == 2
    assert len(faults) == 1
    assert faults[0].startswith("b/rtstruct.dcm: the series that it was drawn on")
    assert faults[0].endswith("is not here: add it")


def test_an_object_that_names_no_series_is_matched_by_its_frame_of_reference(studies):
    path = studies / "a" / "seg.dcm"
    seg = pydicom.dcmread(path)
    del seg.ReferencedSeriesSequence
    seg.save_as(path)
    labelled, faults = find_labelled_series(studies)
    assert (len(labelled), faults) == (3, [])


def test_a_refused_series_is_a_fault_with_its_reason(studies):
    (series,) = [s for s in find_series(studies / "a") if s.geometry is not None]
    header = pydicom.dcmread(series.files[-1])
    header.ImagePositionPatient = [float(v) + 10 for v in header.ImagePositionPatient]
    header.save_as(series.files[-1])
    _, faults = find_labelled_series(studies)
    assert len(faults) == 1
    assert "the series that it was drawn on is refused" in faults[0]


@pytest.mark.parametrize("name", ["a", "b"])  # a Segmentation and an RT Structure Set
@pytest.mark.parametrize("place", [2, -1])  # between others, and at an end
def test_a_slice_that_an_object_refers_to_and_that_is_not_here_is_named(studies, name, place):
    (series,) = [s for s in find_series(studies / name) if s.geometry is not None]
    gone = series.slices[place].instance
    series.files[place].unlink()
    labelled, (fault,) = find_labelled_series(studies)
    assert len(labelled) == 2
    assert "1 of the 5 slices that it was drawn on is not in the folder of its series" in fault
    assert fault.endswith(f"(SOP Instance UID {gone}): add them, or take the case out")


def test_a_slice_that_is_here_and_left_aside_is_not_missing(studies):
    (series,) = [s for s in find_series(studies / "a") if s.geometry is not None]
    scout = pydicom.dcmread(series.files[0])
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.840.99.7"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.SeriesInstanceUID = "1.2.840.99.8"
    scout.save_as(studies / "a" / "scout.dcm")
    seg = pydicom.dcmread(studies / "a" / "seg.dcm")
    referenced = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    one = copy.deepcopy(referenced[0])
    one.ReferencedSOPInstanceUID = "1.2.840.99.7"
    referenced.append(one)
    seg.save_as(studies / "a" / "seg.dcm")
    labelled, faults = find_labelled_series(studies)
    assert (len(labelled), faults) == (3, [])
