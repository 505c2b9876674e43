"""Tests of medseg.export.segments: every label has codes that the standard allows."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from medseg.export.segments import Algorithm, describe_segments, find_codes_of, find_site_of
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


def test_the_side_is_a_modifier_of_the_structure_or_of_the_site_of_the_finding():
    labels = make_table(["kidney_left", "kidney_cyst_right", "liver"])
    kidney, cyst, liver = describe_segments(labels, Algorithm("b", "1"))
    (kind,) = kidney.SegmentedPropertyTypeCodeSequence
    (side,) = kind.SegmentedPropertyTypeModifierCodeSequence
    assert (kind.CodeValue, side.CodeValue) == ("64033007", "7771000")
    (site,) = cyst.AnatomicRegionSequence
    (side,) = site.AnatomicRegionModifierSequence
    assert (site.CodeValue, side.CodeValue) == ("64033007", "24028007")
    assert cyst.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.SCT.Cyst.value
    assert "SegmentedPropertyTypeModifierCodeSequence" not in str(liver)
    assert "AnatomicRegionSequence" not in kidney


def test_a_report_has_a_site_where_the_name_tells_a_side_or_a_site():
    kidney, tumour, liver, other = make_table(
        ["left kidney", "liver tumour", "liver", "a thing"]
    ).foreground
    for label, place, side in ((kidney, "Kidney", "Left"), (tumour, "Liver", None)):
        site = find_site_of(label)
        assert (site.value, side) == (
            getattr(codes.SCT, place),
            side and codes.cid244.Left.meaning,
        )
        assert [item.value.meaning for item in site.get("ContentSequence", [])] == (
            [side] if side else []
        )
    assert find_site_of(liver) is find_site_of(other) is None


def test_long_names_that_begin_alike_have_different_codes():
    names = ["a name with more than sixteen letters", "a name with more than sixteen digits"]
    assert len({find_codes_of(Label(1, name, (1, 2, 3)))[1].value for name in names}) == 2


def test_a_name_too_long_for_the_standard_is_cut():
    (segment,) = describe_segments(make_table(["n" * 80]), Algorithm("b" * 80, "v" * 80))
    assert segment.SegmentLabel == "n" * 64
    named = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert len(named.AlgorithmName) == len(named.AlgorithmVersion) == 64
