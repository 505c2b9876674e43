"""Tests of medseg.ingest.dicom.notes: what must be known of a series is said, and once."""

from __future__ import annotations

from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest import Reason, Verdict, find_series
from medseg.ingest.dicom.header import read_header
from medseg.ingest.dicom.notes import name_of, notes_on


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


def test_slices_are_called_by_their_series_folder_or_file(tmp_path):
    headers = [read_header(f) for f in write_series(tmp_path / "a", make_series(uid="1.2.3"))]
    assert name_of(headers) == "series 1.2.3"
    assert name_of(headers[:1]) == f"series 1.2.3 ({headers[0].path.name})"
    slices = make_series()
    for dataset in slices:
        del dataset.SeriesInstanceUID
    unnamed = [read_header(f) for f in write_series(tmp_path / "b", slices)]
    assert name_of(unnamed) == str(tmp_path / "b")


def test_of_a_plain_stack_there_is_nothing_to_say(tmp_path):
    headers = [read_header(file) for file in write_series(tmp_path, make_series())]
    assert notes_on(headers) == ()
