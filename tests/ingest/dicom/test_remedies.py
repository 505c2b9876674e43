"""Tests of medseg.ingest.dicom.remedies: a remedy can be followed with what the user has."""

from __future__ import annotations

import pickle

import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom.fileset import FileSet
from pydicom.uid import EnhancedMRImageStorage

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.dicom.remedies import FILE_REMEDIES, FRAME_REMEDIES, choose_remedy
from medseg.ingest.inspect_files import inspect
from medseg.ingest.reasons import REMEDIES


def two_phases():
    """Frames of two times at each place."""
    slices = make_series(uid="1.2.3") + make_series(ramp() + 1, uid="1.2.3")
    for s in slices:
        s.Modality, s.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
        s.FrameOfReferenceUID = "1.2.4"
    return slices


def test_frames_of_one_file_are_not_to_be_put_in_folders(tmp_path):
    path = tmp_path / "phases.dcm"
    make_enhanced(two_phases(), EnhancedMRImageStorage).save_as(path, enforce_file_format=True)
    for given in (path, tmp_path):
        with pytest.raises(IngestError, match="split it into files of single frames") as caught:
            load(given)
        assert caught.value.code is Reason.DUPLICATE_POSITIONS
        assert "folder" not in str(caught.value)
        (row,) = inspect(given)
        assert row.remedies == (FRAME_REMEDIES[Reason.DUPLICATE_POSITIONS],)


def test_slices_of_a_folder_are(tmp_path):
    write_series(tmp_path, two_phases())
    with pytest.raises(IngestError, match="put each phase, echo or copy in a folder of its own"):
        load(tmp_path)


def test_one_file_is_not_to_be_moved_out_of_a_folder(tmp_path):
    path = tmp_path / "im1.dcm"
    path.write_bytes(b"no DICOM at all")
    with pytest.raises(IngestError, match=r"copy or convert the file again$"):
        load(path)
    with pytest.raises(IngestError, match=r"or move it out of the folder$"):
        load(tmp_path)


def test_a_file_that_a_dicomdir_names_and_is_not_there_is_to_be_copied(tmp_path):
    disk = FileSet()
    for dataset in make_series(ramp((2, 6, 4))):
        dataset.PatientID, dataset.StudyInstanceUID = "1", "1.2.3"
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260101", "120000", "1"
        dataset.SeriesNumber = 1
        disk.add(dataset)
    disk.write(tmp_path)
    missing = next(path for path in sorted(tmp_path.rglob("IM*")) if path.is_file())
    missing.unlink()
    with pytest.raises(
        IngestError, match="copy the whole disk again, or pass the folder"
    ) as caught:
        load(tmp_path / "DICOMDIR")
    assert caught.value.code is Reason.NOT_FOUND


def test_the_usual_remedy_is_that_of_the_code():
    assert choose_remedy(Reason.UNREADABLE) == REMEDIES[Reason.UNREADABLE]
    assert "folder" not in " ".join([*FRAME_REMEDIES.values(), *FILE_REMEDIES.values()])


def test_an_error_keeps_its_remedy_on_the_way_out_of_a_worker_process():
    error = IngestError(Reason.NOT_FOUND, "no such file: a", remedy="look elsewhere")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code) == ("no such file: a: look elsewhere", Reason.NOT_FOUND)
