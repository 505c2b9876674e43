"""Tests of medseg.ingest.dicom.series_groups: slices are one series where UIDs say otherwise or
nothing.

A bad anonymiser, or ITK writing slices one by one, gives each file UIDs of its own.
"""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom.uid import generate_uid

from medseg.ingest import Reason, Verdict, find_series, load

HU = ramp().transpose(2, 1, 0) - 1024
ALL = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")


def _slices(change):
    slices = make_series(uid="1.2.3")
    for dataset in slices:
        dataset.SeriesNumber, dataset.StudyInstanceUID = 3, "1.2.2"
    for dataset in slices:
        change(dataset)
    return slices


@pytest.mark.parametrize("keywords", [*((keyword,) for keyword in ALL), ALL], ids=str)
@pytest.mark.parametrize("kind", ["one for all", "one for each", "absent"])
def test_a_series_with_useless_uids_is_read(keywords, kind, tmp_path):
    def change(dataset):
        for keyword in keywords:
            setattr(dataset, keyword, "1.2.5" if kind == "one for all" else generate_uid())
            if kind == "absent":
                delattr(dataset, keyword)

    write_series(tmp_path, _slices(change))
    (series,) = find_series(tmp_path)
    assert series.verdict is not Verdict.REFUSE
    np.testing.assert_array_equal(load(tmp_path)[0], HU)
    if kind == "one for each" and keywords != ("SOPInstanceUID",):
        assert series.verdict is Verdict.REPAIR
        assert "of 5 files states another" in series.finding


def _new_series(dataset):
    dataset.SeriesInstanceUID = generate_uid()


def test_the_uid_of_any_file_names_the_series(tmp_path):
    slices = _slices(_new_series)
    write_series(tmp_path, slices)
    for dataset in slices:
        volume, _ = load(tmp_path, series_uid=dataset.SeriesInstanceUID)
        np.testing.assert_array_equal(volume, HU)


def _spoil_place(slices):
    slices[2].ImagePositionPatient = slices[1].ImagePositionPatient


def _leave_out(slices):
    del slices[2]


def _another_number(slices):
    slices[2].SeriesNumber = 4


def _another_description(slices):
    slices[2].SeriesDescription = "other"


def _another_patient(slices):
    slices[2].PatientID = "other"


def _another_size(slices):
    slices[2].Rows = 3
    slices[2].PixelData = slices[2].PixelData[: 3 * 4 * 2]


@pytest.mark.parametrize(
    "spoil",
    [
        *(_spoil_place, _leave_out, _another_number, _another_description),
        *(_another_patient, _another_size),
    ],
)
def test_files_with_a_series_each_that_make_no_stack_stay_apart(spoil, tmp_path):
    slices = _slices(_new_series)
    spoil(slices)
    write_series(tmp_path, slices)
    assert len(find_series(tmp_path)) == len(slices)


def test_two_files_with_a_series_each_stay_two_series(tmp_path):
    write_series(tmp_path, _slices(_new_series)[:2])
    assert len(find_series(tmp_path)) == 2


def test_slices_of_several_folders_stay_apart(tmp_path):
    for k, dataset in enumerate(_slices(_new_series)):
        write_series(tmp_path / str(k), [dataset])
    assert len(find_series(tmp_path)) == 5


def test_two_frames_of_reference_are_two_scans(tmp_path):
    slices = _slices(lambda _: None)
    slices[0].FrameOfReferenceUID = "1.2.8"
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MIXED_FRAME_OF_REFERENCE
