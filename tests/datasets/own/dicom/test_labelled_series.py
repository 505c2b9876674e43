"""Tests of medseg.datasets.own.dicom.labelled_series: what was drawn on which series."""

import pydicom
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
    series.files[2].unlink()
    _, faults = find_labelled_series(studies)
    assert len(faults) == 1
    assert "the series that it was drawn on is refused" in faults[0]
