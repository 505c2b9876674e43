"""Tests of medseg.ingest.dicom.series: what a series says of itself."""

from __future__ import annotations

from ingest.dicom_writer import make_series, write_series

from medseg.ingest import Reason, Verdict, find_series


def test_a_clean_series_is_accepted(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"))
    (series,) = find_series(tmp_path)
    assert (series.uid, series.modality, len(series.files)) == ("1.2.3", "CT", 5)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)
    assert series.message == ""


def test_a_file_is_a_series_of_one_slice(tmp_path):
    paths = write_series(tmp_path, make_series())
    (series,) = find_series(paths[2])
    assert series.files == (paths[2],)
    assert series.reason is Reason.SINGLE_SLICE


def test_a_damaged_file_is_a_series_of_its_own_that_names_it(tmp_path):
    write_series(tmp_path, make_series())
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    _, broken = find_series(tmp_path)
    assert broken.files == (tmp_path / "broken.dcm",)
    assert (broken.verdict, broken.slices) == (Verdict.REFUSE, ())
