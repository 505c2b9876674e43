"""Tests of medseg.ingest.dicom.header.private: what makers write beside the standard's elements."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import csa, make_series, ramp, write_series
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage

from medseg.ingest import Reason, find_series
from medseg.ingest.dicom.header.private import read_b_value, read_tiles
from medseg.ingest.dicom.read_slices import read_header

SIEMENS, GE = "SIEMENS MR HEADER", "GEMS_PARM_01"
PHILIPS, UIH = "Philips Imaging DD 001", "Image Private Header"


def mr(*elements, count=1):
    slices = make_series(ramp((count, 6, 4)), uid="1.2.3")
    for s in slices:
        s.SOPClassUID, s.Modality = MRImageStorage, "MR"
        s.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        for group, creator, element, vr, value in elements:
            s.private_block(group, creator, create=True).add_new(element, vr, value)
    return slices


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ((0x0019, SIEMENS, 0x0C, "IS", "1000"), "1000"),
        ((0x0043, GE, 0x39, "IS", ["1000000800", "8", "0", "0"]), "800"),
        ((0x2001, PHILIPS, 0x03, "FL", 50.0), "50"),
        ((0x0065, UIH, 0x09, "FD", 400.0), "400"),
        ((0x0065, UIH, 0x09, "IS", "400"), "400"),
        ((0x0065, UIH, 0x09, "DS", "400.0"), "400"),
        ((0x0019, "ANOTHER MAKER", 0x0C, "IS", "1000"), ""),
    ],
)
def test_a_b_value_is_read_of_the_maker_that_is_known_for_it(element, expected, syntax, tmp_path):
    (dataset,) = mr(element)
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    (path,) = write_series(tmp_path, [dataset])
    assert read_header(path).origin.b_value == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [((0x2001, PHILIPS, 0x03, "FD", 50.0), "50"), ((0x0019, SIEMENS, 0x0C, "SL", 1000), "1000")],
)
def test_a_number_is_read_in_the_form_that_it_states(element, expected, tmp_path):
    (path,) = write_series(tmp_path, mr(element))
    assert read_header(path).origin.b_value == expected


def test_a_block_may_lie_behind_that_of_another_maker(tmp_path):
    elements = (0x0019, "ANOTHER MAKER", 0x0C, "IS", "7"), (0x0019, SIEMENS, 0x0C, "IS", "1000")
    (path,) = write_series(tmp_path, mr(*elements))
    assert read_header(path).origin.b_value == "1000"


@pytest.mark.parametrize("value", ["", "abc", None])
def test_what_is_no_number_says_nothing(value):
    dataset = Dataset()
    dataset.private_block(0x0019, SIEMENS, create=True).add_new(0x0C, "LO", value)
    assert read_b_value(dataset) == ""


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(
    "element",
    [
        (0x0019, SIEMENS, 0x0A, "US", 16),
        (0x0065, UIH, 0x50, "DS", "16"),
        (0x0029, "SIEMENS CSA HEADER", 0x10, "OB", csa("NumberOfImagesInMosaic", "16")),
        (0x0019, SIEMENS, 0x29, "FD", [100.0 * k for k in range(16)]),
    ],
)
def test_a_mosaic_is_known_by_its_maker_where_image_type_was_cut(element, count, tmp_path):
    write_series(tmp_path, mr(element, count=count))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MULTI_FRAME
    assert "mosaic of slices side by side (16 by a private element)" in series.message


def _image_type_in_lower_case(s):
    s.ImageType = ["ORIGINAL", "PRIMARY", "M", "mosaic"]


def _copy_of_image_type(s):
    s.private_block(0x0051, SIEMENS, create=True).add_new(0x16, "LO", ["p2", "M/ND/MOSAIC"])


def _without_creator(s):
    s.add_new((0x0019, 0x100A), "US", 16)


def _csa_without_creator(s):
    s.add_new((0x0029, 0x1010), "OB", csa("NumberOfImagesInMosaic", "16"))


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    "state",
    [_image_type_in_lower_case, _copy_of_image_type, _without_creator, _csa_without_creator],
)
def test_a_mosaic_is_known_by_what_is_left_of_its_header(state, syntax, tmp_path):
    (dataset,) = mr()
    state(dataset)
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    write_series(tmp_path, [dataset])
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.MULTI_FRAME
    assert "mosaic of slices side by side" in series.message


def test_an_element_without_creator_is_of_the_maker_of_the_scanner():
    (dataset,) = mr()
    _without_creator(dataset)
    for manufacturer, expected in (("SIEMENS", 16), ("GE MEDICAL SYSTEMS", 0), ("", 16)):
        dataset.Manufacturer = manufacturer
        assert read_tiles(dataset) == expected


@pytest.mark.parametrize(
    "element",
    [
        (0x0019, SIEMENS, 0x0A, "US", 1),
        (0x0019, "ANOTHER MAKER", 0x0A, "US", 16),
        (0x0019, SIEMENS, 0x29, "FD", 0.0),
        (0x0029, "SIEMENS CSA HEADER", 0x10, "OB", csa("NumberOfImagesInMosaic", "")),
    ],
)
def test_one_image_is_no_mosaic(element):
    assert read_tiles(mr(element)[0]) in (0, 1)


@pytest.mark.parametrize("factors", [(0.5, 0.5), (0.5, 0.7)])
def test_scales_of_philips_that_differ_between_slices_are_said(factors, tmp_path):
    slices = mr(count=2)
    for s, factor in zip(slices, factors, strict=True):
        block = s.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", factor)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    expected = [] if len(set(factors)) == 1 else [Reason.UNLIKELY_VALUES]
    assert [reason for reason, _ in series.notes] == expected
