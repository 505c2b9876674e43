"""Tests of medseg.export.segments: every label has codes that the standard allows."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from medseg.export.segments import Algorithm, describe_segments, find_codes_of
from medseg.labels import Label, make_table


def test_a_known_label_has_the_code_of_the_standard():
    category, kind = find_codes_of(make_table(["spleen"])[1])
    assert category == codes.cid7150.AnatomicalStructure
    assert kind == codes.SCT.Spleen


@pytest.mark.parametrize("name", ["x", "kept as it is", "a name with more than sixteen letters"])
def test_a_label_without_a_code_has_a_private_one_that_says_its_name(name):
    category, kind = find_codes_of(Label(1, name, (1, 2, 3)))
    assert category == codes.cid7150.Tissue
    assert (kind.scheme_designator, kind.meaning) == ("99MEDSEG", name)
    assert len(kind.value) <= 16


def test_long_names_that_begin_alike_have_different_codes():
    names = ["a name with more than sixteen letters", "a name with more than sixteen digits"]
    assert len({find_codes_of(Label(1, name, (1, 2, 3)))[1].value for name in names}) == 2


def test_a_name_too_long_for_the_standard_is_cut():
    (segment,) = describe_segments(make_table(["n" * 80]), Algorithm("b" * 80, "v" * 80))
    assert segment.SegmentLabel == "n" * 64
    named = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert len(named.AlgorithmName) == len(named.AlgorithmVersion) == 64
