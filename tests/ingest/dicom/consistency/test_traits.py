"""Tests of medseg.ingest.dicom.consistency.traits: lists that name what there is."""

from __future__ import annotations

from dataclasses import fields

from pydicom.datadict import tag_for_keyword

from medseg.ingest.dicom.consistency.traits import ABSENCE_IS_A_VALUE, SAME_AT_ONE_PLACE, TRAIT_OF
from medseg.ingest.dicom.header.origin import Origin

FIELDS = {field.name for field in fields(Origin)}


def test_every_trait_is_a_field_of_the_origin():
    assert {trait.field for trait in SAME_AT_ONE_PLACE} <= FIELDS
    assert len(TRAIT_OF) == len(SAME_AT_ONE_PLACE)


def test_every_name_whose_absence_says_something_is_a_field_or_a_keyword():
    unknown = {name for name in ABSENCE_IS_A_VALUE - FIELDS if tag_for_keyword(name) is None}
    assert unknown == set()
