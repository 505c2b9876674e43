"""Tests of medseg.ingest.dicom.rules.mosaic: sheets of slices, by the matrix that was acquired."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series, write_series
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from medseg.ingest import Reason, Verdict, find_series, load

SIEMENS = "SIEMENS MR HEADER"


def image(*, size=60, spacing_mm=3.0, text="", matrix=None, maker="SIEMENS", sequence="GR"):
    (s,) = make_series(np.arange(size * size, dtype=np.int16).reshape(1, size, size))
    s.SOPClassUID, s.Modality, s.ImageType = MRImageStorage, "MR", ["ORIGINAL", "PRIMARY", "M"]
    s.PixelSpacing, s.Manufacturer, s.ScanningSequence = [spacing_mm] * 2, maker, sequence
    if matrix:
        s.AcquisitionMatrix = matrix
    if text:
        s.private_block(0x0051, SIEMENS, create=True).add_new(0x0B, "LO", text)
    return s


def outcome(folder, **stated):
    write_series(folder, [image(**stated)])
    (series,) = find_series(folder)
    if series.verdict is Verdict.REFUSE:
        return series.reason
    return Reason.POSSIBLE_MOSAIC if Reason.POSSIBLE_MOSAIC in dict(series.notes) else Reason.OK


@pytest.mark.parametrize(
    "stated",
    [
        {"text": "20*20"},
        {"text": "20p*20"},
        {"text": "15*15", "sequence": "EP"},
        {"text": "30*30", "spacing_mm": 12.0},
        {"matrix": [20, 0, 0, 20], "sequence": "EP"},
        {"matrix": [0, 20, 20, 0], "sequence": "EP", "maker": ""},
        {"matrix": [30, 0, 0, 30], "spacing_mm": 12.0},
    ],
)
def test_a_matrix_that_lies_in_an_image_nine_times_makes_it_a_mosaic(stated, tmp_path):
    """60 rows of 12 mm are 720 mm, which no scanner is wide: 4 slices of 30 rows."""
    assert outcome(tmp_path, **stated) is Reason.MULTI_FRAME


@pytest.mark.parametrize(
    "stated",
    [
        {"text": "30*30"},
        {"text": "15*15"},
        {"matrix": [20, 0, 0, 20]},
        {"matrix": [15, 0, 0, 15]},
        {"matrix": [30, 0, 0, 30], "sequence": "EP"},
    ],
)
def test_a_matrix_that_interpolation_may_have_doubled_is_noted(stated, tmp_path):
    assert outcome(tmp_path, **stated) is Reason.POSSIBLE_MOSAIC


@pytest.mark.parametrize(
    "stated",
    [
        {"text": "60*60"},
        {"text": "30*30s"},
        {"text": "45*60"},
        {"text": "30*20"},
        {"matrix": [30, 0, 0, 30]},
        {"matrix": [0, 60, 45, 0]},
        {"matrix": [20, 0, 0, 20], "sequence": "EP", "maker": "Philips Medical Systems"},
        {"matrix": [20, 0, 0, 20], "sequence": "EP", "maker": "GE MEDICAL SYSTEMS"},
    ],
)
def test_an_image_of_one_slice_needs_no_word(stated, tmp_path):
    assert outcome(tmp_path, **stated) is Reason.OK


@pytest.mark.parametrize(("tiles", "expected"), [(0, Verdict.REPAIR), (9, Verdict.REFUSE)])
def test_a_lone_enhanced_frame_that_says_mosaic_is_noted_or_refused(tiles, expected, tmp_path):
    """The note says that it may hold several; its number of tiles says that it does."""
    s = image()
    s.ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    whole = make_enhanced([s], EnhancedMRImageStorage)
    if tiles:
        whole.private_block(0x0019, SIEMENS, create=True).add_new(0x0A, "US", tiles)
    whole.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (series,) = find_series(tmp_path)
    assert series.verdict is expected
    if tiles:
        assert "is a mosaic of slices side by side (9 by" in series.message
    else:
        assert (
            "may show several slices side by side (ImageType)"
            in dict(series.notes)[Reason.POSSIBLE_MOSAIC]
        )
        assert load(tmp_path)[0].shape == (60, 60, 1)
