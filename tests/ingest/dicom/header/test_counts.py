"""Tests of medseg.ingest.dicom.header.counts: what a header counts is read, or is nothing."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from medseg.ingest.dicom.header.counts import Counts, read_counts


def test_a_header_that_counts_nothing_is_no_part():
    assert read_counts(Dataset()) == Counts()
    assert not Counts().is_part


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ConcatenationUID", "1.2.9"),
        ("InConcatenationNumber", 1),
        ("InConcatenationTotalNumber", 2),
        ("ConcatenationFrameOffsetNumber", 0),
    ],
)
def test_any_element_of_a_concatenation_makes_a_part(keyword, value):
    dataset = Dataset()
    setattr(dataset, keyword, value)
    assert read_counts(dataset).is_part


def test_one_part_of_one_is_no_concatenation():
    dataset = Dataset()
    dataset.InConcatenationTotalNumber = 1
    assert not read_counts(dataset).is_part
