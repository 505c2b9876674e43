"""Tests of medseg.ingest.dicom.rules.value_rules: samples and rescale must leave no doubt."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import (
    as_mr,
    make_series,
    ramp,
    write_series,
)
from pydicom.uid import (
    MRImageStorage,
)

from medseg.ingest import Reason, Verdict, find_series, load


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("RescaleSlope", "2.5", "1 of 5 slices have no rescale slope, the others have"),
        ("RescaleIntercept", "10", "1 of 5 slices have no rescale intercept, the others have"),
    ],
)
def test_a_rescale_of_some_slices_only_is_refused_in_any_modality(keyword, value, words, tmp_path):
    slices = as_mr(make_series(uid="1.2.3"))
    for s in slices[:4]:
        setattr(s, keyword, value)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MISSING_RESCALE)
    assert f"{words} in series 1.2.3" in series.message


def test_a_rescale_that_changes_nothing_may_be_left_out(tmp_path):
    slices = as_mr(make_series())
    for s in slices[:4]:
        s.RescaleSlope, s.RescaleIntercept = 1, 0
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT


def test_pet_of_two_units_is_refused(tmp_path):
    slices = make_series(uid="1.2.3")
    for k, s in enumerate(slices):
        s.Modality, s.Units = "PT", "BQML" if k < 3 else "GML"
        del s.RescaleType
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MIXED_RESCALE_TYPE)
    assert "2 units: BQML, GML in series 1.2.3" in series.message


def test_mr_needs_no_rescale(tmp_path):
    slices = make_series(ramp())
    for s in slices:
        s.SOPClassUID, s.Modality = MRImageStorage, "MR"
        del s.RescaleSlope, s.RescaleIntercept, s.RescaleType
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT


@pytest.mark.parametrize(("modality", "usual"), [("CT", "HU"), ("MR", "US")])
def test_a_unit_that_is_not_stated_is_the_usual_one(modality, usual, tmp_path):
    slices = make_series()
    for s in slices if modality == "CT" else as_mr(slices):
        s.RescaleType, s.RescaleSlope, s.RescaleIntercept = usual, 1, 0
    del slices[2].RescaleType
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())


def rescaled_mr(slope, intercept):
    slices = make_series()
    for s in as_mr(slices):
        s.RescaleType = "US"
        s.RescaleSlope, s.RescaleIntercept = slope, intercept
    return slices


@pytest.mark.parametrize(("slope", "intercept"), [("1e38", 0), (1, "1e39"), ("1e-60", 0)])
def test_a_rescale_to_infinities_or_zeros_is_refused(slope, intercept, tmp_path):
    """Single precision ends at 3.4e38, and its smallest normal number is 1.2e-38."""
    write_series(tmp_path, rescaled_mr(slope, intercept))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.INVALID_RESCALE
    assert f"slope {float(slope):g} and intercept {float(intercept):g} of im" in series.message
    assert "single precision cannot hold" in series.message


@pytest.mark.parametrize("slope", ["1e33", "1e-30"])
def test_a_rescale_that_single_precision_holds_is_applied(slope, tmp_path):
    write_series(tmp_path, rescaled_mr(slope, 0))
    expected = (ramp().astype(float) * float(slope)).astype(np.float32)
    np.testing.assert_array_equal(load(tmp_path)[0], expected.transpose(2, 1, 0))


def test_slices_without_a_stated_sign_are_counted(tmp_path):
    slices = make_series()
    for s in slices[1:3]:
        del s.PixelRepresentation
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.PIXEL_FORMAT
    assert f"2 of {len(slices)} slices whose PixelRepresentation" in series.finding
    assert "whole numbers with PixelRepresentation" in series.message
