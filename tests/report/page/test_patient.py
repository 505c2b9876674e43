"""Tests of medseg.report.page.patient: the headers of a series as a person reads them."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest import find_series
from medseg.report.page.patient import read_patient


@pytest.fixture
def read(tmp_path):
    """What a series whose slices have some elements says of its patient."""

    def write_and_read(**elements):
        slices = make_series()
        for dataset in slices:
            for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
                setattr(dataset, keyword, elements.get(keyword, ""))
        write_series(tmp_path / "ct", slices)
        (series,) = find_series(tmp_path / "ct")
        return dict(read_patient(series))

    return write_and_read


def test_name_identifier_and_birth_date_are_read(read):
    found = read(PatientName="Doe^Jane^M", PatientID="17", PatientBirthDate="19700131")
    assert found == {"Patient": "Doe, Jane M", "Patient ID": "17", "Birth date": "1970-01-31"}


def test_an_identifier_of_eight_digits_is_no_date(read):
    assert read(PatientID="12345678") == {"Patient ID": "12345678"}


def test_what_the_headers_lack_is_left_out(read):
    assert read() == {}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "one name", "^", "A=B=C"])
def test_any_name_is_taken_as_it_is(read, name):
    found = read(PatientName=name).get("Patient", "")
    assert found == {"^": "", "A=B=C": "A"}.get(name, name)
