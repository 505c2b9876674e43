"""Tests of medseg.ingest.dicom.sample_checks.negative_values: what looks negative under a sign that
is not there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from medseg.ingest.dicom.sample_checks.negative_values import describe_too_negative


def header(**stated):
    """Of MR in 16 bits with a sign."""
    usual = {"kind": "MR", "bits_stored": 16, "pixel_representation": 1, "rescale": (1.0, 0.0)}
    return SimpleNamespace(**{**usual, "image_type": ("ORIGINAL", "PRIMARY", "M"), **stated})


def as_signed(*parts):
    """Distinct unsigned values as 16 bits with a sign, in ascending order."""
    values = np.concatenate([np.arange(*part) for part in parts]).astype(np.uint16)
    return np.sort(values.view(np.int16))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [(0, 20000, 7), (40000, 50000, 9)],
            "values from -25536 to -15537 may really be high values",
        ),
        ([(0, 57000)], "values from -32768 to -8537 may really be high values"),
        ([(0, 31800), (33700, 65500)], "values from -31836 to -37 may really be high values"),
        ([(0, 65536)], "values from -32768 to -1 may really be high values"),
        ([(40000, 50000)], "values from -25536 to -15537 may really be high values"),
    ],
    ids=["apart", "round", "hole within", "all", "bright alone"],
)
def test_values_above_half_of_the_bits_are_said(parts, said):
    assert (
        describe_too_negative(as_signed(*parts), header())
        == f"{said}: the header calls samples signed"
    )


def test_so_they_are_in_12_bits():
    values = np.array([-2000, -1990, -1980, -1970, 0, 1, 2], np.int16)
    assert "from -2000 to -1970" in describe_too_negative(values, header(bits_stored=12))


@pytest.mark.parametrize(
    ("values", "stated"),
    [
        (np.arange(-4096, 4096), {}),
        (np.arange(-32768, 32768), {"image_type": ("ORIGINAL", "PRIMARY", "P")}),
        (np.arange(-2048, 2048), {"bits_stored": 12}),
        ([-32768, *range(0, 900)], {}),
        ([-1024, -1000, -900, -800, *range(-200, 900)], {}),
        (np.arange(-32768, 0), {"rescale": (1.0, 32768.0)}),
        (np.arange(-100, 30000), {"kind": "PT"}),
        ([*range(0, 20000), *range(60000, 60100)], {"pixel_representation": 0}),
    ],
    ids=[
        "phase",
        "wide phase",
        "12 bits",
        "padding",
        "synthetic CT",
        "lifted",
        "noise of PET",
        "unsigned",
    ],
)
def test_values_that_may_be_negative_need_no_word(values, stated):
    assert describe_too_negative(np.array(values), header(**stated)) == ""


def test_pet_that_goes_further_below_zero_than_noise_is_said():
    said = describe_too_negative(np.arange(-6003, 10001), header(kind="PT"))
    assert said == "stored values of PET from -6000 to 10000 go far below zero"
    assert describe_too_negative(np.arange(-6003, 10001), header()) == ""
