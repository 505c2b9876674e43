"""Tests of medseg.ingest.dicom.sample_checks.sample_findings: one slice shows its bits, sign and
bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.dicom.sample_checks.sample_findings import find_in_samples


@pytest.fixture
def header(tmp_path):
    """Of CT whose samples have 16 bits, 12 of which are stored, and no sign."""
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    return replace(read_header(path), bits_stored=12, high_bit=11, pixel_representation=0)


def test_a_plane_of_one_value_shows_nothing(header):
    assert find_in_samples(header, np.full((6, 4), 7, np.uint16)).is_blank


def test_samples_within_bits_stored_have_no_surplus(header):
    found = find_in_samples(header, np.arange(24, dtype=np.uint16).reshape(6, 4))
    assert (found.surplus, found.is_blank, found.is_swapped) == (0, False, False)


def test_samples_above_bits_stored_are_counted_and_measured(header):
    plane = np.arange(24, dtype=np.uint16).reshape(6, 4)
    plane[0, :3] = 2**13
    found = find_in_samples(header, plane)
    assert (found.surplus, found.bits) == (3, 14)


def test_bytes_in_the_other_order_are_seen(header):
    plane = (np.arange(24, dtype=np.uint16).reshape(6, 4) * 100).byteswap()
    assert find_in_samples(header, plane).is_swapped
