"""Tests of medseg.ingest.series: files are grouped and every group gets a verdict."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest import IngestError, Reason, Verdict, find_series


def test_a_clean_series_is_accepted(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"))
    (series,) = find_series(tmp_path)
    assert (series.uid, series.modality, len(series.files)) == ("1.2.3", "CT", 5)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)
    assert series.message == ""


def test_two_series_in_one_folder_are_told_apart(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.4"), suffix=".dcm")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.3"), suffix="")
    found = [(s.uid, len(s.files), s.verdict) for s in find_series(tmp_path)]
    assert found == [("1.2.3", 3, Verdict.ACCEPT), ("1.2.4", 5, Verdict.ACCEPT)]


def test_one_series_in_nested_folders_is_put_together(tmp_path):
    slices = make_series()
    write_series(tmp_path / "a", slices[::2])
    write_series(tmp_path / "b" / "c", slices[1::2])
    (series,) = find_series(tmp_path)
    assert (series.verdict, len(series.files)) == (Verdict.ACCEPT, 5)


def test_without_series_uid_a_folder_is_a_series(tmp_path):
    for name in ("a", "b"):
        slices = make_series()
        for dataset in slices:
            dataset.SeriesInstanceUID = ""
        write_series(tmp_path / name, slices)
    first, second = find_series(tmp_path)
    assert (first.verdict, first.reason) == (Verdict.REPAIR, Reason.NO_SERIES_UID)
    assert first.geometry.shape == second.geometry.shape == (4, 6, 5)
    assert str(tmp_path / "a") in first.message


def test_a_file_is_a_series_of_one_slice(tmp_path):
    paths = write_series(tmp_path, make_series())
    (series,) = find_series(paths[2])
    assert series.files == (paths[2],)
    assert series.reason is Reason.SINGLE_SLICE


def test_a_folder_without_dicom_has_no_series(tmp_path):
    assert find_series(tmp_path) == []


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(IngestError, match="no such file or folder") as caught:
        find_series(tmp_path / "nowhere")
    assert caught.value.code is Reason.NOT_FOUND
