"""Tests of medseg.ingest.dicom.series_label: a person can tell the series of a study apart."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest import find_series
from medseg.ingest.dicom.series_label import SeriesLabel, read_series_label


@pytest.fixture
def label(tmp_path):
    """The label of a series whose slices have some elements."""

    def read(*different, **elements):
        slices = make_series()
        for k, dataset in enumerate(slices):
            for keyword, value in elements.items():
                setattr(dataset, keyword, value)
            for keyword in different:
                setattr(dataset, keyword, k + 1)
        write_series(tmp_path / "ct", slices)
        (series,) = find_series(tmp_path / "ct")
        return read_series_label(series)

    return read


def test_a_series_is_called_by_number_description_date_part_and_phase(label):
    found = label(
        SeriesNumber=4,
        SeriesDescription="Abdomen  portal venous",
        SeriesDate="20260131",
        BodyPartExamined="ABDOMEN",
        ContrastBolusAgent="Iomeprol",
        TemporalPositionIdentifier=2,
    )
    assert found == SeriesLabel(
        "4", "Abdomen portal venous", "2026-01-31", "ABDOMEN", "contrast, time 2"
    )


def test_a_description_is_read_in_its_character_set(label):
    found = label(SpecificCharacterSet="ISO_IR 100", SeriesDescription="Schädel, nüchtern")
    assert found.description == "Schädel, nüchtern"


def test_the_date_of_the_acquisition_or_study_stands_in(label):
    assert label(StudyDate="20250102").date == "2025-01-02"
    assert label(StudyDate="20250102", AcquisitionDate="20250103").date == "2025-01-03"


def test_what_slices_do_not_share_is_left_out(label):
    assert label("SeriesNumber").number == ""


def test_headers_that_say_nothing_give_an_empty_label(label):
    assert label() == SeriesLabel()
