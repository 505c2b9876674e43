"""Tests of medseg.ingest.hounsfield_range: what a histogram says of the rescale of CT."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest.header import read_header
from medseg.ingest.histogram import histogram_of
from medseg.ingest.hounsfield_range import range_of, what_is_unlikely


@pytest.fixture
def header(tmp_path):
    """Of a slice whose stored values are HU."""
    (dataset,) = make_series(np.zeros((1, 4, 4), np.int16))
    dataset.RescaleIntercept = 0
    return read_header(write_series(tmp_path, [dataset])[0])


def said(header, *parts):
    """What is said of stored values, each as often as is given beside it."""
    values = np.repeat([v for v, _ in parts], [n for _, n in parts]).astype(np.int16)
    return what_is_unlikely([range_of(histogram_of(values), header)])


def test_two_values_below_air_are_padding_however_many(header):
    assert said(header, (-3024, 900), (-2000, 900), (-1000, 100), (40, 100)) == ""


@pytest.mark.parametrize(("low", "words"), [(2, ""), (3, "3% of the voxels are lower than air")])
def test_more_than_a_fiftieth_below_air_is_said(low, words, header):
    """Of 100 voxels; the two most frequent of the low values are left out of the count."""
    parts = [(-1500, 1), (-1600, 1), *((-1700 - k, 1) for k in range(low)), (40, 98 - low)]
    assert said(header, *parts).startswith(words)
    assert bool(said(header, *parts)) == bool(words)


def test_no_air_is_said_of_bone_alone_and_not_of_a_blank_image(header):
    assert "leaves no CT value below 0 HU" in said(header, (24, 50), (1064, 50))
    assert said(header, (0, 100)) == ""
    assert said(header, (0, 50), (60, 50)) == ""  # a brain cut out of its skull
