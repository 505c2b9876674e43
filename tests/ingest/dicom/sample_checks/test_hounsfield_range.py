"""Tests of medseg.ingest.dicom.sample_checks.hounsfield_range: what a histogram says of the rescale
of CT."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest import Reason, Verdict, find_series
from medseg.ingest.dicom.pixels.histogram import count_samples
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.dicom.sample_checks.hounsfield_range import describe_unlikely, measure_range


@pytest.fixture
def header(tmp_path):
    """Of a slice whose stored values are HU."""
    (dataset,) = make_series(np.zeros((1, 4, 4), np.int16))
    dataset.RescaleIntercept = 0
    return read_header(write_series(tmp_path, [dataset])[0])


def said(header, *parts):
    """What is said of stored values, each as often as is given beside it."""
    values = np.repeat([v for v, _ in parts], [n for _, n in parts]).astype(np.int16)
    return describe_unlikely([measure_range(count_samples(values), header)])


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


# ---- a slope that is wrong


def a_body():
    """Stored HU + 1024: 50 of 100 voxels are air, 10 lung, 15 fat, 20 muscle and 5 bone."""
    parts = [(-1000, 50), (-850, 10), (-100, 15), (50, 20), (700, 4), (1400, 1)]
    stored = np.repeat([hu + 1024 for hu, _ in parts], [n for _, n in parts])
    return np.broadcast_to(stored.astype(np.int16).reshape(1, 10, 10), (3, 10, 10)).copy()


def notes_on(stored, slope, folder):
    slices = make_series(stored)
    for s in slices:
        s.RescaleSlope = slope
    write_series(folder, slices)
    (series,) = find_series(folder)
    assert series.verdict is Verdict.ACCEPT
    return "; ".join(finding for _, finding in series.notes)


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        ("0.1", "the highest value is -781.6 HU, lower than any tissue"),
        ("0.5", "105 voxels are from -650 to -300 HU and 15 higher than -200 HU"),
        ("2", "100% of the voxels above -200 HU are above 400 HU"),
        ("3", "100% of the voxels above -200 HU are above 400 HU"),
        ("5", "25% of the voxels are above 4095 HU"),
        ("10", "40% of the voxels are above 4095 HU"),
    ],
)
def test_a_slope_that_moves_all_tissue_is_said(slope, words, tmp_path):
    """Bone of 700 HU, then -162, is the only tissue at slope 0.5; muscle is 4346 HU at slope 5."""
    assert words in notes_on(a_body(), slope, tmp_path)


def test_a_body_at_its_own_slope_needs_no_word(tmp_path):
    assert notes_on(a_body(), "1", tmp_path) == ""


@pytest.mark.parametrize("highest_hu", [4200, 15000, 30000])
def test_a_few_voxels_of_metal_need_no_word(highest_hu, tmp_path):
    stored = a_body().astype(np.uint16)
    stored[:, 9, 5:] = highest_hu + 1024  # in place of bone: 5 of 100 voxels
    assert notes_on(stored, "1", tmp_path) == ""


def test_lung_alone_and_a_skull_alone_need_no_word(header):
    assert said(header, (-850, 900), (-500, 50), (40, 20)) == ""
    assert said(header, (-1000, 500), (30, 100), (900, 300), (1800, 100)) == ""


def test_values_spread_evenly_over_12_bits_need_no_word_and_twice_as_dense_ones_do(header):
    """Of 3199 values above -200 HU 2599 are above 400; of the others 1787 of 2087."""
    assert said(header, *((hu, 1) for hu in range(-1000, 3000))) == ""
    spread = [(2 * stored - 1024, 1) for stored in range(0, 2500)]
    assert "86% of the voxels above -200 HU are above 400 HU" in said(header, *spread)


def flat_body(lowest=-1000):
    """Air and lung of one value each, soft tissue and some bone: (slices, rows, columns) in HU."""
    hu = np.full((3, 40, 40), lowest, np.int16)
    hu[:, 8:32, 8:32] = 40
    hu[:, 12:20, 12:18] = -850
    hu[:, 26:29, 18:22] = 700
    return hu


@pytest.mark.parametrize(("added", "intercept"), [(0, -1024), (1024, -2048), (0, -1000)])
def test_an_intercept_that_is_taken_off_twice_is_said_where_air_has_no_noise(
    added, intercept, tmp_path
):
    """Air and lung look like two values of padding, soft tissue like air."""
    slices = make_series(flat_body() + np.int16(added), uid="1.2.3")
    for s in slices:
        s.RescaleIntercept = intercept
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.UNLIKELY_VALUES)
    assert "0% of the voxels above -1124 HU are above -200 HU, too few for a body" in (
        series.message
    )


def test_so_it_is_of_soft_tissue_alone(header):
    """Air of -1000 HU and tissue of 40 and 120 HU, each 1024 HU too low."""
    assert "above -200 HU" in said(header, (-2024, 900), (-984, 800), (-904, 100))
    assert said(header, (-1000, 900), (40, 800), (120, 100)) == ""


@pytest.mark.parametrize("lowest", [-1000, -2000, -3024])
def test_air_and_padding_of_one_value_need_no_word(lowest, tmp_path):
    slices = make_series(flat_body(lowest) + np.int16(1024), uid="1.2.3")
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].notes == ()
