"""Tests of medseg.datasets.own.dicom.class_mapping."""

import pytest

from medseg.datasets.own.dicom.class_mapping import map_names, parse_rules


def test_a_name_is_written_as_a_class():
    assert map_names(["Kidney, left", "GTV-1"], []) == {
        "Kidney, left": "kidney_left",
        "GTV-1": "gtv_1",
    }


@pytest.mark.parametrize("text", ["kidney=", "=kidney", "=", "kidney*"])
def test_a_rule_without_a_pattern_or_a_class_is_refused(text):
    with pytest.raises(ValueError, match=r"names no class: write which .*'Kidney\*=kidney'"):
        parse_rules([text])


def test_every_rule_has_a_name_or_is_refused_with_the_names_that_there_are():
    rules = parse_rules(["Kidney*=kidney", "Spleen*=spleen"])
    with pytest.raises(
        ValueError, match=r"'Spleen\*=spleen' of --labels .* no name: .* Kidney, Liver"
    ):
        map_names(["Liver", "Kidney"], rules)
    with pytest.raises(
        ValueError, match="comes too late: earlier rules have Kidney: put it before"
    ):
        map_names(["Kidney"], parse_rules(["*=all", "Kidney=kidney"]))


def test_a_star_stands_for_no_character_too_and_a_question_mark_for_one():
    rules = parse_rules(["*tumo*r*=tumour"])
    names = ["Tumor", "left TUMOUR 2"]
    assert map_names([*names, "Liver"], rules) == dict.fromkeys(names, "tumour")
    assert not parse_rules(["tumo?r=tumour"])[0].matches("Tumor")
