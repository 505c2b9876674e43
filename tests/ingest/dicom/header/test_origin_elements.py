"""Tests of medseg.ingest.dicom.header.origin_elements: the tables speak of fields and elements."""

from __future__ import annotations

from dataclasses import fields

from pydicom.datadict import tag_for_keyword

from medseg.ingest.dicom.header.origin import Origin
from medseg.ingest.dicom.header.origin_elements import (
    AS_NUMBERS,
    AS_STORED,
    CONVERTED,
    FRAME_ELEMENTS,
)


def test_every_entry_is_of_a_field_and_of_an_element_of_the_standard():
    assert {*AS_STORED, *AS_NUMBERS, *FRAME_ELEMENTS} <= {field.name for field in fields(Origin)}
    keywords = {*AS_STORED.values(), *AS_NUMBERS.values(), *CONVERTED}
    keywords.update(keyword for names in FRAME_ELEMENTS.values() for keyword in names)
    assert all(map(tag_for_keyword, keywords))


def test_a_file_states_each_field_once():
    assert not AS_STORED.keys() & AS_NUMBERS.keys()
