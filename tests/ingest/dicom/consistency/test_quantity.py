"""Tests of medseg.ingest.dicom.consistency.quantity: what values are of, by the words of a
header."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest.dicom.consistency.quantity import find_quantity
from medseg.ingest.dicom.read_slices import read_header


def quantity_of(tmp_path, image_type, *, modality="MR", component=""):
    path, *_ = write_series(tmp_path, make_series())
    header = read_header(path)
    origin = replace(header.origin, component=component)
    return find_quantity(replace(header, modality=modality, image_type=image_type, origin=origin))


@pytest.mark.parametrize(
    ("image_type", "component", "expected"),
    [
        ((), "", "MAGNITUDE"),
        (("ORIGINAL", "PRIMARY", "M", "DIXON", "FAT"), "MAGNITUDE", "FAT"),
        (("ORIGINAL", "PRIMARY", "OP_FFE"), "", "OUT OF PHASE"),
        (("ORIGINAL", "PRIMARY", "P", "IN_PHASE"), "", "IN PHASE PHASE"),
        (("DERIVED", "PRIMARY", "max_ip"), "MIXED", "MIP"),
    ],
)
def test_the_quantity_of_mr_by_its_words(image_type, component, expected, tmp_path):
    assert quantity_of(tmp_path, image_type, component=component) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("PHASE_MAP", "PHASE"),
        ("PHASE MAP", "PHASE"),
        ("ADC MAP", "ADC"),
        ("ADC_UNSPECIFIED", "ADC"),
        ("T1MAP", "T1 MAP"),
        ("T1_MAP", "T1 MAP"),
        ("T2_STAR MAP", "T2* MAP"),
        ("SUB", "SUBTRACTION"),
        ("MNIP", "MINIP"),
        ("MIP_THICK", "MIP"),
        ("MIP THIN", "MIP"),
    ],
)
def test_a_blank_an_underscore_and_a_first_word_are_read_alike(value, expected, tmp_path):
    assert quantity_of(tmp_path, ("DERIVED", "PRIMARY", value)) == expected


@pytest.mark.parametrize("value", ["FAT SAT", "REAL_TIME", "FM3_2", "M_FFE", "SPIR", "T1", "FIL"])
def test_words_that_begin_like_another_quantity_are_none(value, tmp_path):
    assert quantity_of(tmp_path, ("ORIGINAL", "PRIMARY", value)) == "MAGNITUDE"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("VNC", "VNC"),
        ("DE_IODINE", "IODINE"),
        ("VMI", "VMI"),
        ("MAT_REMOVED", "MAT REMOVED"),
        ("MONO_E 40KEV", "40 KEV MONO"),
        ("MONO_E_70KEV", "70 KEV MONO"),
        ("CT_SOM5 SPI", "AXIAL"),
        ("PHASE", "AXIAL"),
    ],
)
def test_energies_and_materials_of_ct_are_quantities(value, expected, tmp_path):
    image_type = ("DERIVED", "PRIMARY", "AXIAL", value)
    assert quantity_of(tmp_path, image_type, modality="CT") == expected
