"""Tests of medseg.ingest.dicom.rules.slice_rules: what is refused before positions are looked
at."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ingest.dicom_writer import (
    CORONAL,
    as_mr,
    compress_series,
    make_series,
    ramp,
    set_pixels,
    write_series,
)
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComprehensiveSRStorage,
    EnhancedCTImageStorage,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from medseg.ingest import Reason, Verdict, find_series, load


def rgb(slices):
    for s in slices:
        s.SamplesPerPixel, s.PhotometricInterpretation = 3, "RGB"
        s.PlanarConfiguration = 0
        s.PixelData = s.PixelData * 3


def palette(slices):
    slices[0].PhotometricInterpretation = "PALETTE COLOR"


def multi_frame(slices):
    slices[0].NumberOfFrames = 2


def enhanced_with_one_frame(slices):
    slices[0].SOPClassUID = EnhancedCTImageStorage


def secondary_captures(slices):
    for s in slices:
        s.SOPClassUID = SecondaryCaptureImageStorage
        del s.ImagePositionPatient


def screen_saves(slices):
    for s in slices:
        s.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]


def compressed_lie(slices):
    compress_series(slices, RLELossless)
    for s in slices:
        s.Rows = s.Columns = 65535


def segmentation(slices):
    for s in slices:
        s.Modality = "SEG"


def report(slices):
    for s in slices:
        s.SOPClassUID = ComprehensiveSRStorage
        del s.PixelData


def localizers(slices):
    for s in slices:
        s.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def without(keyword):
    def spoil(slices):
        delattr(slices[1], keyword)

    return spoil


def with_value(keyword, value):
    def spoil(slices):
        setattr(slices[1], keyword, value)

    return spoil


def other_size(slices):
    set_pixels(slices[1], np.zeros((8, 4), np.int16))


def short_pixels(slices):
    slices[1].PixelData = slices[1].PixelData[:-10]


def modality_lut(slices):
    slices[1].ModalityLUTSequence = Sequence([Dataset()])


def float_pixels(slices):
    for s in slices:
        s.BitsAllocated = 32
        s.FloatPixelData = np.zeros(24, np.float32).tobytes()
        del s.PixelData, s.BitsStored, s.HighBit, s.PixelRepresentation


REFUSED = [
    (rgb, Reason.COLOUR, "3 samples per pixel, RGB"),
    (palette, Reason.COLOUR, "1 samples per pixel, PALETTE COLOR"),
    (multi_frame, Reason.MULTI_FRAME, "2 frames in one file"),
    (enhanced_with_one_frame, Reason.MULTI_FRAME, "Enhanced CT Image Storage"),
    (secondary_captures, Reason.SECONDARY_CAPTURE, "5 of 5 files are secondary captures"),
    (screen_saves, Reason.SECONDARY_CAPTURE, "5 of 5 files are secondary captures"),
    (localizers, Reason.LOCALIZER, "5 of 5 files are localizers"),
    (with_value("Modality", "MR"), Reason.MIXED_MODALITY, "2 modalities: CT, MR in"),
    (with_value("RescaleType", "US"), Reason.MIXED_RESCALE_TYPE, "2 rescale types: HU, US in"),
    (
        with_value("PhotometricInterpretation", "MONOCHROME1"),
        Reason.MIXED_PHOTOMETRIC,
        "2 photometric interpretations: MONOCHROME1, MONOCHROME2 in",
    ),
    (compressed_lie, Reason.TOO_LARGE, "would have to expand to 42948362250 bytes"),
    (segmentation, Reason.NOT_AN_IMAGE, "modality SEG"),
    (report, Reason.NOT_AN_IMAGE, r"no image slices \(modality CT\)"),
    (without("PixelData"), Reason.TRUNCATED, r"ends before its pixels \(CT Image"),
    (without("ImagePositionPatient"), Reason.MISSING_GEOMETRY, "lacks ImagePositionPatient"),
    (without("ImageOrientationPatient"), Reason.MISSING_GEOMETRY, "lacks ImageOrientationPatient"),
    (without("PixelSpacing"), Reason.MISSING_GEOMETRY, "lacks PixelSpacing"),
    (without("Rows"), Reason.MISSING_GEOMETRY, "lacks Rows and Columns"),
    (
        with_value("ImagePositionPatient", ["0", "0", "1e200"]),
        Reason.INVALID_GEOMETRY,
        r"lies at \[0.0, 0.0, 1e\+200\] mm",
    ),
    (with_value("PixelSpacing", ["1e200", 1]), Reason.INVALID_GEOMETRY, r"spacing \[1e\+200"),
    (with_value("PixelSpacing", ["1e-200", 1]), Reason.INVALID_GEOMETRY, r"spacing \[1e-200"),
    (with_value("PixelSpacing", [0.5, 0]), Reason.INVALID_GEOMETRY, r"spacing \[0.5, 0.0\]"),
    (
        with_value("ImageOrientationPatient", [1, 0, 0, 0.5, 1, 0]),
        Reason.INVALID_GEOMETRY,
        "direction cosines",
    ),
    (without("RescaleSlope"), Reason.MISSING_RESCALE, "1 of 5 CT slices have no rescale"),
    (without("RescaleIntercept"), Reason.MISSING_RESCALE, "1 of 5 CT slices have no rescale"),
    (with_value("RescaleSlope", 0), Reason.INVALID_RESCALE, "slope 0 and intercept -1024"),
    (with_value("BitsAllocated", 24), Reason.PIXEL_FORMAT, "16 of 24 bits"),
    (float_pixels, Reason.PIXEL_FORMAT, "floating-point samples"),
    (with_value("HighBit", 11), Reason.PIXEL_FORMAT, "16 of 16 bits whose HighBit is 11, not 15"),
    (without("PixelRepresentation"), Reason.PIXEL_FORMAT, r"\(the sign\) is not stated"),
    (modality_lut, Reason.PIXEL_FORMAT, "Modality LUT Sequence"),
    (short_pixels, Reason.TRUNCATED, "holds 38 of 48 bytes of pixels"),
    (other_size, Reason.MIXED_SIZE, "6x4, 8x4"),
    (
        with_value("ImageOrientationPatient", list(CORONAL)),
        Reason.MIXED_ORIENTATION,
        "differ by up to 1 ",
    ),
    (with_value("PixelSpacing", [0.5, 0.8]), Reason.MIXED_SPACING, "from 0.5 to 0.8 mm"),
    (with_value("FrameOfReferenceUID", "1.2.9"), Reason.MIXED_FRAME_OF_REFERENCE, "1.2.9"),
]


@pytest.mark.parametrize(("spoil", "reason", "words"), REFUSED)
def test_is_refused_with_its_code_and_numbers(spoil, reason, words, tmp_path):
    slices = make_series(uid="1.2.3")
    spoil(slices)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, reason)
    assert re.search(words, series.message)
    assert "in series 1.2.3" in series.message
    assert "\n" not in series.message
    assert "ecret" not in series.message


@pytest.mark.parametrize("count", [1, 5])
def test_a_sheet_of_slices_side_by_side_is_no_slice(count, tmp_path):
    slices = as_mr(make_series(ramp((count, 6, 4))))
    slices[-1].ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MULTI_FRAME)
    assert "is a mosaic of slices side by side" in series.message


def test_a_lying_matrix_of_plain_pixels_is_known_from_the_file(tmp_path):
    slices = make_series()
    for s in slices:
        s.Rows = s.Columns = 65535
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.TRUNCATED
    assert "holds 48 of 8589672450 bytes" in series.message


def test_a_blank_series_compresses_as_far_as_it_likes(tmp_path):
    """5 slices of 512x512 zeros in a few hundred bytes each are no lie."""
    slices = compress_series(make_series(np.zeros((5, 512, 512), np.int16)), JPEGLSLossless)
    assert len(slices[0].PixelData) < 512 * 512 * 2 / 1000
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].verdict is Verdict.ACCEPT


def captured(modality="CT", **elements):
    """Secondary captures of 5 slices, with the elements set or, where None, absent."""
    slices = make_series(uid="1.2.3")
    for s in slices:
        s.SOPClassUID = s.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        s.Modality, s.ImageType = modality, ["DERIVED", "SECONDARY"]
        for keyword, value in elements.items():
            setattr(s, keyword, value)
            if value is None:
                delattr(s, keyword)
    return slices


@pytest.mark.parametrize(
    ("modality", "elements"),
    [
        ("CT", {}),
        ("MR", {"RescaleType": None}),
        ("PT", {"RescaleType": None, "Units": "BQML"}),
        ("CT", {"ConversionType": "WSD"}),
        ("CT", {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}),
        ("CT", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3"}),  # grey words, of one frame
    ],
)
def test_secondary_captures_that_state_what_slices_state_are_read(modality, elements, tmp_path):
    write_series(tmp_path, captured(modality, **elements))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.CAPTURED_SLICES)
    assert "5 secondary captures with geometry and rescale, taken as slices" in series.message
    volume, geometry = load(tmp_path)
    np.testing.assert_array_equal(volume, ramp().transpose(2, 1, 0) - 1024)
    np.testing.assert_allclose(geometry.spacing_mm, (0.75, 0.5, 1.25))


@pytest.mark.parametrize(
    "elements",
    [
        {"ImagePositionPatient": None},
        {"ImageOrientationPatient": None},
        {"PixelSpacing": None},
        {"RescaleSlope": None},
        {"RescaleIntercept": None},
        {"Modality": "OT"},
        {"Modality": None},
        {"ConversionType": "DF"},
        {"BurnedInAnnotation": "YES"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
    ],
    ids=str,
)
def test_other_secondary_captures_stay_refused(elements, tmp_path):
    write_series(tmp_path, captured(**elements))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.SECONDARY_CAPTURE)


def test_a_secondary_capture_with_geometry_among_slices_of_a_scanner_is_left_aside(tmp_path):
    (extra,) = captured()[2:3]
    extra.ImagePositionPatient = [-10, 20, 500]
    write_series(tmp_path / "a", make_series(uid="1.2.3"))
    write_series(tmp_path / "b", [extra])
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.LEFT_ASIDE)
    assert "1 secondary capture of 6 slices left aside" in series.message


def test_secondary_captures_of_mr_need_no_rescale(tmp_path):
    elements = ("RescaleSlope", "RescaleIntercept", "RescaleType")
    write_series(tmp_path, captured("MR", **dict.fromkeys(elements)))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.CAPTURED_SLICES)
    assert "5 secondary captures with geometry, taken as slices" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0))


def test_secondary_captures_that_go_on_with_a_stack_are_slices_of_it(tmp_path):
    slices, others = make_series(uid="1.2.3"), captured()
    frame = slices[0].FrameOfReferenceUID
    for s in others:
        s.FrameOfReferenceUID = frame
    slices[3:] = others[3:]
    for s in slices:
        s.ImageType = ["DERIVED", "SECONDARY"]
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.CAPTURED_SLICES)
    assert "2 secondary captures with geometry and rescale" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0) - 1024)
