"""Tests of medseg.ingest.dicom.files.dicomdir: a DICOMDIR leads to its files, and misses none in
silence."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom import dcmread
from pydicom.fileset import FileSet

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.files.dicomdir import list_referenced_files


@pytest.fixture
def disk(tmp_path):
    """A disk of one series of five slices, as pydicom lays it out."""
    made = FileSet()
    for number, dataset in enumerate(make_series(uid="1.2.3")):
        dataset.PatientID, dataset.StudyInstanceUID = "1", "1.2.9"
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20000101", "120000", "1"
        dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
        made.add(dataset)
    made.write(tmp_path / "disk")
    return tmp_path / "disk"


def test_the_files_of_a_dicomdir_are_read(disk):
    (series,) = find_series(disk / "DICOMDIR")
    assert (series.verdict, series.uid) == (Verdict.ACCEPT, "1.2.3")
    assert sorted(series.files) == sorted(list_referenced_files(disk / "DICOMDIR"))
    array, _ = load(disk / "DICOMDIR")
    np.testing.assert_array_equal(array, ramp().transpose(2, 1, 0) - 1024)


def test_a_folder_with_a_dicomdir_is_read_as_any_folder(disk):
    np.testing.assert_array_equal(load(disk)[0], load(disk / "DICOMDIR")[0])


def test_files_that_a_dicomdir_does_not_name_are_left_alone(disk):
    write_series(disk / "more", make_series(uid="1.2.4"))
    assert [s.uid for s in find_series(disk / "DICOMDIR")] == ["1.2.3"]
    assert len(find_series(disk)) == 2


def test_a_missing_file_is_refused_by_name(disk):
    """An end slice leaves no gap: only the directory knows of it."""
    last = find_series(disk)[0].files[-1]
    last.unlink()
    assert load(disk)[0].shape == (4, 6, 4)
    with pytest.raises(IngestError, match=f"{last}, which is not there") as caught:
        load(disk / "DICOMDIR")
    assert caught.value.code is Reason.NOT_FOUND


def test_names_in_lower_case_are_found(disk):
    directory = dcmread(disk / "DICOMDIR")
    for record in directory.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            name = record.ReferencedFileID
            source = disk.joinpath(*name)
            target = disk.joinpath(*(part.lower() for part in name))
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
    assert len(find_series(disk / "DICOMDIR")[0].files) == 5


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("name", [["..", "secret"], ["/etc", "passwd"], ["a", "..", "..", "b"]])
def test_a_dicomdir_may_not_lead_out_of_its_folder(disk, name):
    directory = dcmread(disk / "DICOMDIR")
    directory.DirectoryRecordSequence[-1].ReferencedFileID = name
    directory.save_as(disk / "DICOMDIR")
    with pytest.raises(IngestError, match="a file outside its folder") as caught:
        load(disk / "DICOMDIR")
    assert caught.value.code is Reason.UNREADABLE


def test_a_slice_is_no_dicomdir(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    assert list_referenced_files(path) is None
    path.write_bytes(b"not DICOM")
    assert list_referenced_files(path) is None


def test_an_empty_directory_holds_no_series(disk):
    directory = dcmread(disk / "DICOMDIR")
    directory.DirectoryRecordSequence = []
    directory.save_as(disk / "DICOMDIR")
    assert find_series(disk / "DICOMDIR") == []


@pytest.mark.parametrize(
    "name", [["..", "IM0"], ["/etc", "passwd"], ["IMAGES", "..\\x"], ["../../x"], ["."], ["a", ""]]
)
def test_a_name_that_leads_out_of_the_disk_is_refused(name, disk):
    directory = dcmread(disk / "DICOMDIR")
    for record in directory.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record.ReferencedFileID = name
    directory.save_as(disk / "DICOMDIR")
    with pytest.raises(IngestError, match="refers to a file outside its folder") as caught:
        load(disk / "DICOMDIR")
    assert caught.value.code is Reason.UNREADABLE
    assert "\n" not in str(caught.value)
