"""Tests of medseg.ingest.dicom.consistency.slice_differences: what differs is named by keyword."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest.dicom.consistency.slice_differences import KEYWORDS, name_differences
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.read_slices import read_header


@pytest.fixture
def header(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    return read_header(path)


def test_every_keyword_is_of_a_field_of_a_slice():
    assert KEYWORDS.keys() <= {field.name for field in fields(Slice)}


def test_differences_are_named_by_the_keywords_of_dicom_in_the_order_of_the_table(header):
    other = replace(header, intercept=-1000, thickness_mm=9.0)
    assert name_differences([header, other]) == ["SliceThickness", "RescaleIntercept"]
    assert name_differences([header, header, other]) == name_differences([header, other])


def test_numbers_that_every_file_has_of_its_own_are_no_difference(header):
    assert name_differences([header, replace(header, instance="1.2.3", counts=())]) == ["pixels"]


@pytest.mark.parametrize("others", [(("Z", "2"), ("A", "1")), (("Z", "2"),)])
def test_an_element_that_one_leaves_out_or_states_otherwise_is_named(header, others):
    first, second = (
        replace(header, origin=replace(header.origin, others=stated))
        for stated in ((("Z", "1"), ("A", "1")), others)
    )
    assert name_differences([first, second]) == (["A", "Z"] if len(others) == 1 else ["Z"])


def test_a_keyword_is_named_once(header):
    thick = replace(header, thickness_mm=9.0)
    stated = replace(thick.origin, others=(("SliceThickness", "9"),))
    assert name_differences([header, replace(thick, origin=stated)]) == ["SliceThickness"]
