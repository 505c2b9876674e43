"""Tests of medseg.ingest.dicom.sample_checks.byte_order: bytes that are swapped, by the samples
alone."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.ingest.dicom.pixels.histogram import count_samples
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.dicom.sample_checks.byte_order import are_swapped, swap_bytes

SMOOTH = np.arange(0, 4096, 4, dtype=np.uint16).reshape(16, 64)
NOISE = np.random.default_rng(0).integers(0, 2**16, (64, 64)).astype(np.uint16)


def judged(plane, tmp_path):
    header = read_header(write_series(tmp_path, make_series(plane[None]))[0])
    return are_swapped(plane, count_samples(plane), header)


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        (SMOOTH.byteswap(), True),
        (SMOOTH, False),
        (NOISE, False),
        (NOISE.byteswap(), False),
        (SMOOTH << 8, False),  # the upper byte alone
        (SMOOTH * 15, False),  # to the end of 16 bits
    ],
)
def test_a_smooth_image_shows_its_byte_order_and_noise_does_not(plane, expected, tmp_path):
    assert judged(plane, tmp_path) is expected


def test_a_swapped_histogram_is_that_of_the_swapped_samples():
    found, expected = swap_bytes(count_samples(SMOOTH.byteswap())), count_samples(SMOOTH)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.counts, expected.counts)
