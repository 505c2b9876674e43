"""Tests of medseg.export.new_object: objects of different kinds are told apart."""

import logging
import warnings

import pytest
from highdicom.valuerep import check_person_name

from medseg.export import Algorithm
from medseg.export.new_object import describe_object, hush_highdicom


def describe(kind, name="liver"):
    return describe_object(
        kind, "2.25.1", Algorithm(name, "1.0"), series_number=900, description="a\\b"
    )


def test_each_kind_is_in_a_series_of_its_own():
    assert describe("seg")["series_instance_uid"] == describe("seg")["series_instance_uid"]
    assert describe("seg")["series_instance_uid"] != describe("sr")["series_instance_uid"]


def test_texts_are_as_dicom_allows_them():
    found = describe("seg", name="x" * 70)
    assert found["manufacturer_model_name"] == "x" * 64
    assert found["series_description"] == "a/b"


def test_highdicom_says_nothing_within_the_block(caplog):
    logger = logging.getLogger("highdicom.base")
    with caplog.at_level(logging.INFO):
        with hush_highdicom():
            logger.warning("of a patient")
        logger.warning("of nobody")
    assert [record.getMessage() for record in caplog.records] == ["of nobody"]


def test_highdicom_does_not_warn_of_a_name_that_it_quotes_within_the_block():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with hush_highdicom():
            check_person_name("Miller")
            warnings.warn("of nobody", stacklevel=1)
    assert [str(one.message) for one in caught] == ["of nobody"]
    with pytest.warns(UserWarning, match="Miller"):
        check_person_name("Miller")
