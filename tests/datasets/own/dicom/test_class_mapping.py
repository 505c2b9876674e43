"""Tests of medseg.datasets.own.dicom.class_mapping."""

import pytest

from medseg.datasets.own.dicom.class_mapping import map_names, parse_rules


def test_a_name_is_written_as_a_class():
    assert map_names(["Kidney, left", "GTV-1"], []) == {
        "Kidney, left": "kidney_left",
        "GTV-1": "gtv_1",
    }


@pytest.mark.parametrize("text", ["kidney=", "=kidney", "="])
def test_a_rule_without_a_pattern_or_a_class_is_refused(text):
    with pytest.raises(ValueError, match=r"names no class: write it like 'Kidney\*=kidney'"):
        parse_rules([text])
