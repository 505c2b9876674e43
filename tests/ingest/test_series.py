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


@pytest.mark.parametrize("suffix", ["", ".ima", ".0001", ".txt"])
def test_the_content_tells_dicom_not_the_name(tmp_path, suffix):
    write_series(tmp_path, make_series(), suffix=suffix)
    (series,) = find_series(tmp_path)
    assert (series.verdict, len(series.files)) == (Verdict.ACCEPT, 5)


def test_everything_that_is_to_be_said_is_said(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)), uid="1.2.3")
    dataset.LossyImageCompression, dataset.RescaleType = "01", "US"
    write_series(tmp_path, [dataset])
    (series,) = find_series(tmp_path)
    reasons = [reason for reason, _ in series.notes]
    assert reasons == [Reason.SINGLE_SLICE, Reason.LOSSY_COMPRESSION, Reason.NOT_HOUNSFIELD]
    assert series.verdict is Verdict.REPAIR
    assert series.message.count("series 1.2.3") == 3


def test_another_unit_than_hu_is_accepted_and_recorded(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.RescaleType = "US"
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.NOT_HOUNSFIELD)


def test_a_damaged_file_is_a_series_of_its_own_that_names_it(tmp_path):
    write_series(tmp_path, make_series())
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    _, broken = find_series(tmp_path)
    assert broken.files == (tmp_path / "broken.dcm",)
    assert (broken.verdict, broken.slices) == (Verdict.REFUSE, ())
