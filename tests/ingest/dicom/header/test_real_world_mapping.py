"""Tests of medseg.ingest.dicom.header.real_world_mapping: what is mapped and to what."""

from __future__ import annotations

import math

from pydicom import Dataset

from medseg.ingest.dicom.header.real_world_mapping import Mapping, read_mappings


def with_item(**elements):
    item, dataset = Dataset(), Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    dataset.RealWorldValueMappingSequence = [item]
    return dataset


def test_without_a_range_all_values_are_mapped():
    (found,) = read_mappings([with_item(RealWorldValueSlope=2.0, RealWorldValueIntercept=1.0)])
    assert found == Mapping(2.0, 1.0, -math.inf, math.inf)
    assert found.is_linear


def test_a_table_is_not_linear():
    (found,) = read_mappings([with_item(RealWorldValueLUTData=[1.0, 2.0])])
    assert not found.is_linear


def test_the_first_data_set_that_has_any_counts_and_equal_items_are_one():
    frame, shared = (with_item(RealWorldValueSlope=k, RealWorldValueIntercept=0.0) for k in (2, 3))
    frame.RealWorldValueMappingSequence.append(frame.RealWorldValueMappingSequence[0])
    assert [mapping.slope for mapping in read_mappings([frame, shared])] == [2]
